"""Answers to all samples of a task, in batches and in any number of processes."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from PIL.Image import Image
from tqdm.auto import tqdm

from minigpt4.evaluation.tasks.task import Sample, Task
from minigpt4.inference.asking import Asker
from minigpt4.inference.turns import Answer
from minigpt4.processing.image_loading import AsStored, load_image

from .answers import AnswerFiles, Row
from .processes import gathered, processes
from .scoring import FILLER


# Batches whose pictures are kept at once: their questions are sorted by length, each picture is read once.
BATCHES_AT_ONCE = 8


def collect(
    task: Task,
    samples: Sequence[Sample],
    asker: Asker,
    files: AnswerFiles | None,
    batch_size: int,
    settings: Mapping[str, Any],
    score: Callable[[Row, Sample], float | None],
) -> dict[str, Row]:
    """
    Answer all samples that `files` has no answer to.

    Each process takes every n-th group of pictures, and appends its answers to its file batch by batch. A sample that fails,
    since its picture cannot be read or its question is too long, has an `error` in the place of its `answer`; the next run asks
    it again.

    Args:
        task (`Task`), samples (`Sequence[Sample]`): what to ask.
        asker (`Asker`): whom to ask.
        files (`AnswerFiles`, *optional*): where answers are kept. Default: nowhere.
        batch_size (`int`): questions at once.
        settings (`Mapping`): of `generate`.
        score (`Callable`): a sample's score, for the progress bar; `None` where it has none yet.

    Returns:
        `dict[str, Row]`: in every process, the rows of all of them by the samples' ids.
    """
    state = processes()
    # Every process reads what is on its machine; together they know all.
    known = {id: row for rows in gathered([files.read() if files is not None else {}]) for id, row in rows.items()}
    rows = {
        sample.id: known[sample.id]
        for sample in samples
        if "error" not in known.get(sample.id, {"error": ""})
        and known[sample.id]["prompt"] == task.request(sample, asker.identifiers, asker.plain)
    }
    left = [sample for sample in samples if sample.id not in rows]
    share = math.ceil(len(left) / state.num_processes)
    windows = list(_windows(left, max(1, min(share, batch_size * BATCHES_AT_ONCE))))
    mine = windows[state.process_index :: state.num_processes]
    made: list[Row] = []
    right = total = 0.0
    with tqdm(
        total=sum(map(len, mine)),
        desc=task.name,
        unit="answer",
        dynamic_ncols=True,
        disable=None if state.is_main_process else True,
    ) as progress:
        for window in mine:
            pictures: dict[str, Image] = {}
            ordered = sorted(window, key=lambda sample: len(task.request(sample, asker.identifiers, asker.plain)))
            for start in range(0, len(ordered), batch_size):
                batch = ordered[start : start + batch_size]
                new = list(_answer(task, batch, asker, pictures, settings))
                if files is not None:
                    files.append(new)
                made += new
                for row, sample in zip(new, batch, strict=True):
                    if (one := score(row, sample)) is not None:
                        right, total = right + one, total + 1
                if total:
                    progress.set_postfix(score=f"{right / total:.3f}", refresh=False)
                progress.update(len(batch))
            asker.forget()
    return rows | {row["id"]: row for row in gathered(made)}


def _windows(samples: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    """Samples in groups of at least `size`, those about one picture together."""
    window: list[Sample] = []
    by_picture = sorted(range(len(samples)), key=lambda index: _key(samples[index]))
    for _, indices in groupby(by_picture, key=lambda index: _key(samples[index])):
        window += [samples[index] for index in indices]
        if len(window) >= size:
            yield window
            window = []
    if window:
        yield window


def _key(sample: Sample) -> str:
    """The same for samples about the same picture."""
    return str(id(sample.image)) if isinstance(sample.image, Image) else str(sample.image)


def _answer(
    task: Task, batch: Sequence[Sample], asker: Asker, pictures: dict[str, Image], settings: Mapping[str, Any]
) -> Iterator[Row]:
    """The rows of a batch, in its order; if it fails, those of each sample by itself."""
    rows = [{"id": sample.id, "prompt": task.request(sample, asker.identifiers, asker.plain)} for sample in batch]
    try:
        shown = [_picture(task, sample, pictures) for sample in batch]
        for row, answered in zip(rows, _asked(task, batch, rows, asker, shown, settings), strict=True):
            row |= answered
    except (OSError, ValueError) as error:
        if len(batch) > 1:
            for sample in batch:
                yield from _answer(task, [sample], asker, pictures, settings)
            return
        rows = [rows[0] | {"error": " ".join(str(error).split()) or type(error).__name__}]
    yield from rows


def _asked(
    task: Task,
    batch: Sequence[Sample],
    rows: Sequence[Row],
    asker: Asker,
    pictures: Sequence[Image],
    settings: Mapping[str, Any],
) -> Iterator[Row]:
    prompts = [row["prompt"] for row in rows]
    made: list[Row] = [{} for _ in batch]
    if "ranking" in task.answers:
        candidates = [sample.candidates for sample in batch]
        alone = task.answers == "ranking"
        losses, lengths = asker.losses(prompts, pictures, candidates, end=alone)
        for one, row, length in zip(made, losses, lengths, strict=True):
            one |= {"losses": row}
            if alone:
                one |= {"prompt_tokens": length, "filler_tokens": asker.answer_length(FILLER)}
    if "text" in task.answers:
        answers = asker.answers(prompts, pictures, **settings)
        for one, answer in zip(made, answers, strict=True):
            one |= _text(asker, answer)
    yield from made


def _text(asker: Asker, answer: Answer) -> Row:
    """An answer as it is stored: with its marks, too, where the published evaluation would cut it elsewhere."""
    row: Row = {"answer": answer.text, "finished": answer.finished}
    published = cut_as_published(asker.processor.tokenizer.decode(answer.ids, skip_special_tokens=False))
    return row if published == answer.text else row | {"answer_as_published": published}


def cut_as_published(text: str) -> str:
    """Where the published evaluation of MiniGPT-v2 ends an answer: at `</s>`, whatever else it contains."""
    return text.partition("</s>")[0].replace("<s>", "").rpartition("[/INST]")[2].strip()


def _picture(task: Task, sample: Sample, pictures: dict[str, Image]) -> Image:
    if isinstance(sample.image, Image):
        return sample.image
    name = str(sample.image)
    if name not in pictures:
        pictures[name] = load_image(AsStored(name) if task.as_stored else name)
    return pictures[name]
