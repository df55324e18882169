"""Which task's form an answer has. It follows from the answer alone: the tasks' forms have nothing in common."""

import re

from minigpt4.evaluation.scenes.world import BACKGROUNDS, COLOURS, SHAPES, SIZES
from minigpt4.processing.boxes import parse_grounding
from minigpt4.processing.tasks import TASKS

from .wording import CHAT


OTHER = "other"
FORMS = (*TASKS, CHAT, OTHER)


def _any(words: tuple[str, ...]) -> str:
    return f"(?:{'|'.join(words)})"


_KIND = rf"{_any(COLOURS)} {_any(SHAPES)}"
_NAMED = re.compile(rf"an? {_any(SIZES)} {_KIND}")
_CAPTION = re.compile(rf"an? {_KIND}(?:,? (?:and )?an? {_KIND})* on {_any(BACKGROUNDS)}")


def form_of(answer: str) -> str:
    """
    The task in whose form an answer is.

    Args:
        answer (`str`): the model's, right or wrong.

    Returns:
        `str`: a key of `TASKS`; `"chat"` for sentences; `"other"` for what cannot be parsed as any of these.
    """
    read = parse_grounding(answer)
    if read.problems:
        return OTHER
    if read.boxes:
        named = [phrase.phrase for phrase in read.phrases]
        if not any(named):
            return OTHER if read.text or len(read.boxes) > 1 else "refer"
        if not all(named):
            return OTHER
        return "detection" if named == [read.text] else "grounding"
    text = " ".join(read.text.lower().split())
    if text.endswith("."):
        return CHAT
    if _NAMED.fullmatch(text):
        return "identify"
    if _CAPTION.fullmatch(text):
        return "caption"
    return "vqa" if re.fullmatch(r"[a-z-]+", text) else OTHER
