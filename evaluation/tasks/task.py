"""What a task of evaluation is: one small record, and the samples that its reader finds."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


PLAIN_QUESTION = "Question: {} Short answer:"
"""How a model without a chat template is asked for a short answer."""

# A task identifier at the beginning of a prompt, as `[vqa] `.
_IDENTIFIER = re.compile(r"^\[(\w+)\] ")


@dataclass(frozen=True)
class Sample:
    """
    One question about one picture.

    Args:
        id (`str`): differs from that of every other sample of its task.
        image (`str`, `Path` or `PIL.Image.Image`): the picture, or where it is.
        words (`str`): what stands for `{}` in the task's prompt.
        target (anything that JSON can hold): what the metric compares the answer with.
        candidates (`Sequence[str]`): the answers to choose from, of a task that ranks them.
        kind (`str`): of the question, where a task has several.
    """

    id: str
    image: Any
    words: str = ""
    target: Any = None
    candidates: Sequence[str] = ()
    kind: str = ""


@dataclass(frozen=True)
class Published:
    """
    A figure of a paper's table.

    Args:
        model (`str`): whose.
        value (`float`): as the table has it, in the task's unit.
        version (`str`): of the paper: `"first"` or `"later"`, which have different figures.
        figure (`str`): which of the metric's figures it is. Default: the task's.
        scale (`float`): from the metric's figure to the paper's unit, where `figure` is given.
    """

    model: str
    value: float
    version: Literal["first", "later"] = "first"
    figure: str = ""
    scale: float = 1.0


@dataclass(frozen=True)
class Task:
    """
    A row of a paper's table: what is asked about which pictures, and how the answers are scored.

    Args:
        name (`str`): on the command line.
        title (`str`): what is measured, in a few words.
        read (`Callable`): from the folder of the data to samples, in a fixed order; missing files raise `FileNotFoundError`.
        prompt (`str`): `{}` stands for a sample's words. A task identifier in front is left out for models without it.
        metric (`str`): a module of `minigpt4.evaluation.scoring`.
        figure (`str`): which of the metric's figures the paper's table has.
        plain (`str`): the prompt for models without a chat template. Default: `prompt`.
        group (`str`): a name for this task and others.
        answers (`str`):
            How the model answers: `"text"`; `"ranking"`, by the losses of the candidates, each with the end token; `"text and
            ranking"`, the losses without it.
        generation (`Mapping`): settings of `generate` beside greedy decoding.
        options (`Mapping`): of the metric.
        files (`Mapping`): options of the metric that are files in the folder of the data.
        scale (`float`): from the metric's figure to the paper's unit: 100 for per cent.
        lower_is_better (`bool`): as of hallucinations.
        judged (`bool`): whether a language model judges the answers.
        by_people (`bool`): whether people judge the answers, on a sheet.
        needs_data (`bool`): whether it reads files.
        as_stored (`bool`): read pictures as they are stored, as published, without turning them upright.
        published (`Sequence[Published]`): the papers' figures. The first is the one to compare with.
        note (`str`): what a reader of the score must know.
    """

    name: str
    title: str
    read: Callable[[Path], Iterable[Sample]]
    prompt: str
    metric: str
    figure: str = "accuracy"
    plain: str = ""
    group: str = ""
    answers: Literal["text", "ranking", "text and ranking"] = "text"
    generation: Mapping[str, Any] = field(default_factory=lambda: {"max_new_tokens": 20})
    options: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    scale: float = 100.0
    lower_is_better: bool = False
    judged: bool = False
    by_people: bool = False
    needs_data: bool = True
    as_stored: bool = True
    published: Sequence[Published] = ()
    note: str = ""

    def request(self, sample: Sample, identifiers: Sequence[str], plain: bool = False) -> str:
        """
        What a model is asked.

        Args:
            sample (`Sample`): with the words.
            identifiers (`Sequence[str]`): the task identifiers that the model knows, as its processor saves them.
            plain (`bool`, defaults to `False`): whether the model has no chat template.
        """
        form = (self.plain or self.prompt) if plain else self.prompt
        known = _IDENTIFIER.match(form)
        if known is not None and known[1] not in identifiers:
            form = form[known.end() :]
        return form.replace("{}", sample.words)
