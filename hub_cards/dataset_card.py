"""The card of a data set for stage 2, made from known facts; what is unknown is left out."""

from collections.abc import Mapping, Sequence
from importlib.resources import files

from huggingface_hub import DatasetCard, DatasetCardData

from .card import TASK, markdown_table


def dataset_card(
    rows: int,
    *,
    title: str = "Descriptions for stage 2 of MiniGPT-4",
    steps: Mapping[str, int] | None = None,
    dropped: Mapping[str, Mapping[str, int]] | None = None,
    sources: Sequence[tuple[str, str, str]] = (),
    mended: bool = False,
    reviewed: bool = False,
    prompts: Sequence[tuple[str, str]] = (),
    reviewers: Sequence[str] = (),
    agreement: tuple[int, int] | None = None,
    **metadata,
) -> DatasetCard:
    """
    The card of a set of detailed descriptions.

    Args:
        rows (`int`): how many there are.
        title (`str`, *optional*): what to call it.
        steps (`dict[str, int]`, *optional*): how it was made: step -> rows that were left after it.
        dropped (*optional*): step -> what became of how many rows.
        sources (*optional*): what it was made from: part (pictures, the model that described them, …), name, licence.
        mended (`bool`, defaults to `False`): a language model has corrected the descriptions.
        reviewed (`bool`, defaults to `False`): a person has looked at each.
        prompts (*optional*): what models were asked: step, prompt.
        reviewers (*optional*): who has looked at the rows.
        agreement (`tuple[int, int]`, *optional*): second looks that led to the decision of the first, and all second looks.
        metadata: further fields of `huggingface_hub.DatasetCardData`, such as `license`.
    """
    sizes = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    data = DatasetCardData(
        **{
            "language": "en",
            "task_categories": [TASK],
            "size_categories": next((name for limit, name in sizes if rows < limit), "1M<n<10M"),
            "pretty_name": title,
            "tags": ["minigpt4"],
            **metadata,
        }
    )
    return DatasetCard.from_template(
        data,
        template_str=files("minigpt4.hub_cards").joinpath("dataset_card.md").read_text(encoding="utf-8"),
        title=title,
        rows=rows,
        steps=_steps(steps or {}, dropped or {}),
        sources=markdown_table(("part", "", "licence"), ((part, f"`{name}`", terms) for part, name, terms in sources))
        if sources
        else None,
        mended=mended,
        reviewed=reviewed,
        prompts=prompts,
        reviewers=", ".join(reviewers),
        agreement=agreement,
    )


def _steps(steps: Mapping[str, int], dropped: Mapping[str, Mapping[str, int]]) -> str | None:
    if not steps:
        return None
    if not dropped:
        return markdown_table(("step", "rows left"), steps.items())
    became = {step: ", ".join(f"{number} {what}" for what, number in each.items()) for step, each in dropped.items()}
    rows = ((step, number, became.get(step, "")) for step, number in steps.items())
    return markdown_table(("step", "rows left", "of all that came"), rows)
