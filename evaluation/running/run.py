"""Run a task: ask, score, and write down what came out."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minigpt4.evaluation.tasks.task import Sample, Task
from minigpt4.inference.asking import Asker
from minigpt4.inference.endpoint import LanguageModel

from .answers import AnswerFiles, Row
from .collecting import collect
from .judging import PROMPT, judge
from .processes import from_first, processes
from .results import Result, interval
from .scoring import Scorer


# Whatever the checkpoint's defaults are, answers are greedy, as published.
GREEDY = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0, "temperature": None, "top_p": None}


def run_task(
    task: Task,
    asker: Asker,
    data: str | Path,
    *,
    model: str,
    output: str | Path | None = None,
    limit: int | None = None,
    batch_size: int = 8,
    published_scoring: bool = False,
    judged_by: LanguageModel | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Result:
    """
    Measure a model on a task.

    In several processes (`accelerate launch`) each answers its share, and all return the same result.

    Args:
        task (`Task`): from [`~minigpt4.evaluation.tasks.find_tasks`].
        asker (`Asker`): whom to ask.
        data (`str` or `Path`): folder of the data; docs/evaluate.md lists the files of each task.
        model (`str`): what to call the model in the result.
        output (`str` or `Path`, *optional*):
            Folder for the answers, as they come, and for the result, `TASK.json`. A run that was killed goes on from its answers
            there. Default: nothing is written.
        limit (`int`, *optional*): ask this many samples at most, drawn from the whole set with a fixed seed.
        batch_size (`int`, defaults to 8): questions at once.
        published_scoring (`bool`, defaults to `False`):
            Follow the published evaluation where it differs from the field's.
        judged_by (`LanguageModel`, *optional*): the judge, of tasks that have one. It is asked by the first process.
        settings (`Mapping`, *optional*): what else the answers depend on: answers with other settings are not continued.

    Returns:
        `Result`: equal in all processes.

    Raises:
        FileNotFoundError: a file of the set is not there.
        ValueError: a file is not as published, there are no samples, all of them failed, there is no judge, or `output` has the
            answers of another run.
    """
    if task.judged and judged_by is None and processes().is_main_process:
        raise ValueError(f"{task.name} is judged by a language model: name it with --judge.")
    samples = list(task.read(Path(data)))
    if not samples:
        raise ValueError(f"{task.name}: {data} has no samples.")
    chosen = _chosen(samples, limit)
    generation = {**GREEDY, **task.generation}
    facts = {"task": task.name, "model": model, "generation": generation, **(settings or {})}
    state = processes()
    files = AnswerFiles(Path(output), task.name, facts, state.process_index) if output is not None else None
    scorer = Scorer(task, published_scoring, Path(data))
    rows = collect(task, chosen, asker, files, batch_size, generation, scorer.running)
    if all("error" in row for row in rows.values()):
        raise ValueError(
            f"{task.name}: all {len(rows)} samples failed; the first: {next(iter(rows.values()))['error']}"
        )
    result = None
    if state.is_main_process:
        ordered = [rows[sample.id] for sample in chosen]
        if task.judged and judged_by is not None:
            ordered = judge(chosen, ordered, judged_by)
            facts |= {"judge": judged_by.name, "judge_prompt": PROMPT}
        result = score_task(scorer, chosen, ordered, model=model, of=len(samples), data=Path(data), settings=facts)
        if output is not None:
            result.write(Path(output))
    return from_first(result)


def _chosen(samples: list[Sample], limit: int | None) -> list[Sample]:
    """A part of the samples in their order, the same for each limit; a smaller part is within a larger one."""
    if limit is None or limit >= len(samples):
        return samples
    order = random.Random(0).sample(range(len(samples)), len(samples))
    return [samples[index] for index in sorted(order[:limit])]


def score_task(
    scorer: Scorer,
    samples: Sequence[Sample],
    rows: Sequence[Row],
    *,
    model: str,
    of: int,
    data: Path,
    settings: Mapping[str, Any],
) -> Result:
    """
    The result of a task from the answers to its samples.

    Args:
        scorer (`Scorer`): of the task.
        samples (`Sequence[Sample]`), rows (`Sequence[Row]`): the samples, and the row of each.
        model (`str`): as for `run_task`.
        of (`int`): the number of samples of the whole set.
        data (`Path`): where pictures are, for their names in the result.
        settings (`Mapping`): what the answers depend on.
    """
    task = scorer.task
    scores = scorer.scores(rows, samples)
    judged = [score for score in scores if score.get("score") is not None]
    figures = scorer.figures(scores)
    low, high = interval(scorer.figure, judged)
    return Result(
        task=task.name,
        title=task.title,
        model=model,
        measure=task.figure,
        value=float(figures[task.figure]) * task.scale,
        interval=(low * task.scale, high * task.scale),
        n=len(samples),
        of=of,
        failed=sum("error" in row for row in rows),
        unparsable=figures.get("unparsable"),
        unjudged=figures.get("unjudged", len(scores) - len(judged)),
        figures=figures,
        published_scoring=scorer.published,
        lower_is_better=task.lower_is_better,
        published=[
            {"model": one.model, "value": one.value, "version": one.version}
            for one in task.published
            if not one.figure
        ],
        others_published=[asdict(one) for one in task.published if one.figure],
        notes=[task.note] if task.note else [],
        settings=dict(settings),
        samples=[_described(*one, data) for one in zip(samples, rows, scores, strict=True)],
    )


def _described(sample: Sample, row: Row, score: dict[str, Any], data: Path) -> dict[str, Any]:
    image = sample.image if isinstance(sample.image, str) else ""
    if image and Path(image).is_relative_to(data):
        image = str(Path(image).relative_to(data))
    known = {"image": image, "words": sample.words, "kind": sample.kind, "target": sample.target, "scores": score}
    return {**row, **{name: value for name, value in known.items() if value not in ("", None)}}
