"""Prompts of other harnesses as these models were trained on them, and boxes as the harnesses read them."""

import re
from collections.abc import Sequence

from minigpt4.processing.boxes import parse_grounding
from minigpt4.processing.tasks import TASKS


# Both harnesses ask for RefCOCO's boxes in these words, and then explain coordinates that these models do not use.
_REFERRED = re.compile(r"region this sentence describes:\s*(?:<ref>)?(.*?)(?:</ref>)?\s*\Z", re.DOTALL)


def as_trained(prompt: str, identifiers: Sequence[str], identifier: str = "vqa") -> str:
    """
    A harness's prompt with the task identifier that the model was trained with.

    Args:
        prompt (`str`): the harness's.
        identifiers (`list[str]`): those the model knows, `processor.task_identifiers`; without any the prompt stays as it is.
        identifier (`str`, *optional*, defaults to `"vqa"`):
            For all prompts but those for a box, which become `[refer] give me the location of …`; empty for none.

    Raises:
        ValueError: the model knows identifiers, and not this one.
    """
    if not identifiers:
        return prompt
    if (found := _REFERRED.search(prompt)) is not None:
        return TASKS["refer"].asked.format(found[1].strip())
    if identifier and identifier not in identifiers:
        raise ValueError(f"The model knows no task {identifier!r}: choose from {', '.join(identifiers)}, or none.")
    return f"[{identifier}] {prompt}" if identifier else prompt


def as_read(answer: str, side: int) -> str:
    """
    An answer with its boxes as `[x1, y1, x2, y2]`, behind its words.

    Args:
        answer (`str`): the model's.
        side (`int`): what width and height are in the harness: 1 for shares, which get two decimals, or 1000.
    """
    grounding = parse_grounding(answer, (side, side))
    form = "[{:.2f}, {:.2f}, {:.2f}, {:.2f}]" if side == 1 else "[{:.0f}, {:.0f}, {:.0f}, {:.0f}]"
    if not grounding.boxes:
        return answer
    return " ".join(filter(None, (grounding.text, *(form.format(*box) for box in grounding.boxes))))
