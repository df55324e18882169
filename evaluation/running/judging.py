"""A language model judges whether descriptions cover reference captions."""

from collections.abc import Iterator, Sequence
from typing import Any

from tqdm.auto import tqdm

from minigpt4.evaluation.tasks.task import Sample
from minigpt4.inference.endpoint import LanguageModel

from .answers import Row


# After the paper's description of it (https://huggingface.co/papers/2304.10592, section 4.2): its own words are not published.
PROMPT = (
    "Caption 1: {reference}\nCaption 2: {answer}\n\nDoes caption 2 cover all the objects and visual relations shown in caption 1? "
    "Answer only yes or no."
)


def judge(samples: Sequence[Sample], rows: Sequence[Row], model: LanguageModel) -> list[Row]:
    """
    The rows with what the judge says: a question for each reference caption.

    Args:
        samples (`Sequence[Sample]`): with their reference captions as the target.
        rows (`Sequence[Row]`): with the answers; one without an answer is not judged.
        model (`LanguageModel`): the judge.

    Returns:
        `list[Row]`: with `verdicts`, the judge's replies, each on one line; an empty one where it failed, with its reason in
        `judge_errors`; and the name of the judge as it calls itself, `judge`.
    """
    answered = [(row, sample) for row, sample in zip(rows, samples, strict=True) if "error" not in row]
    questions = sum(len(sample.target) for _, sample in answered)
    replies = model.replies(_requests(answered))
    judged: dict[str, Row] = {}
    with tqdm(total=questions, desc="judge", unit="reply", dynamic_ncols=True, disable=None) as progress:
        for row, sample in answered:
            made = []
            for _ in sample.target:
                made.append(next(replies))
                progress.update()
            verdicts = {
                "verdicts": [" ".join(one.text.split()) for one in made],
                "judge": made[0].model if made else "",
            }
            errors = [one.error for one in made if one.error]
            judged[row["id"]] = row | verdicts | ({"judge_errors": errors} if errors else {})
    return [judged.get(row["id"], row) for row in rows]


def _requests(answered: Sequence[tuple[Row, Sample]]) -> Iterator[list[dict[str, Any]]]:
    for row, sample in answered:
        for reference in sample.target:
            # Answers are only ever data: braces in them mean nothing.
            text = PROMPT.replace("{reference}", str(reference), 1).replace("{answer}", row["answer"], 1)
            yield [{"role": "user", "content": text}]
