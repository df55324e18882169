"""What is known of a published set or a file of your own: one small record each."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from minigpt4.training.row import Row

from .annotations import Annotation, PlacedAnnotation, read_list


def no_images(row: Annotation) -> list[str]:
    return []


def nothing_left_out(row: Annotation) -> None:
    return None


@dataclass(frozen=True)
class PublishedSet:
    """
    A set as it was published. Its functions have names, so that workers of a data loader can be sent it.

    Args:
        task (`str`): what is learned from it.
        files (`tuple[str, ...]`): its annotation files, under the folder of all sets.
        fields (`Mapping[str, str]`): what each row of the annotations must have, and of which kind.
        make (`Callable`): from a row and a random generator to `messages`, or to a `text` for the recipe's prompts.
        images (`str`, *optional*): the folder of its images, under the folder of all sets; `None` for a set of texts.
        image_paths (`Callable`, *optional*): from a row to the paths of its images, under `images`.
        read (`Callable`, *optional*): from the annotation files to their rows; they are lists of rows by default.
        left_out (`Callable`, *optional*): why a row is not trained on in the published training, or `None`.
        upright (`bool`, *optional*, defaults to `False`):
            Rotate images by their EXIF orientation. The published training did not, and boxes of annotations belong to the
            picture as it is stored.
    """

    task: str
    files: tuple[str, ...]
    fields: Mapping[str, str]
    make: Callable[[Annotation, random.Random], Row]
    images: str | None = None
    image_paths: Callable[[Annotation], list[str]] = no_images
    read: Callable[..., Iterator[PlacedAnnotation]] = read_list
    left_out: Callable[[Annotation], str | None] = nothing_left_out
    upright: bool = False


@dataclass(frozen=True)
class ShardSet:
    """
    A set in webdataset shards. Its images are read as they are stored, as those of [`PublishedSet`].

    Args:
        task (`str`): what is learned from it.
        shards (`str`): its files, under the folder of all sets; see [`minigpt4.training.data.shards.Shards`].
        make (`Callable`): from the JSON of a sample and a random generator to `messages`; a `ValueError`, `KeyError` or
            `TypeError` if the sample cannot be used.
    """

    task: str
    shards: str
    make: Callable[[Annotation, random.Random], Row]


def ask(question: str, answer: str) -> Row:
    """A row with one question and its answer."""
    return chat([(question, answer)])


def chat(turns: list[tuple[str, str]]) -> Row:
    """A row with several questions and their answers."""
    roles = ("user", "assistant")
    return {
        "messages": [{"role": role, "content": text} for turn in turns for role, text in zip(roles, turn, strict=True)]
    }
