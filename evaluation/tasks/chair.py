"""Objects that descriptions make up: CHAIR over COCO's validation (MiniGPT-4, section 4.6)."""

from collections.abc import Iterator
from pathlib import Path

from .coco import objects_of_kinds, read_pictures
from .task import Published, Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """Pictures with the names of their objects and their captions, whose objects count as in the picture, too."""
    for picture in read_pictures(root, captions=True, objects=True):
        target = {"objects": sorted(objects_of_kinds(picture)), "captions": picture.captions}
        yield Sample(picture.id, picture.file, target=target)


def _figures(model: str, chair_i: float, words: float) -> tuple[Published, Published]:
    return Published(model, chair_i), Published(model, words, figure="mean_words")


BASELINES = (
    *_figures("BLIP-2", 1.3, 6.5),
    *_figures("LLaVA", 18.8, 90.7),
    *_figures("mPLUG-Owl", 30.2, 98.5),
)

TASKS = tuple(
    Task(
        name=f"chair-{length}",
        title=f"CHAIR_i of {length} descriptions",
        read=read,
        prompt=prompt,
        plain="a photo of",
        generation={"max_new_tokens": tokens},
        metric="chair",
        figure="chair_i",
        files={"synonyms": "coco/synonyms.txt"},
        lower_is_better=True,
        group="chair",
        published=(*_figures("MiniGPT-4", *figures), *BASELINES),
    )
    for length, prompt, tokens, figures in (
        ("short", "Please describe the image shortly and precisely, in less than 20 words.", 60, (7.2, 28.8)),
        ("long", "Please describe this image as detailed as possible.", 300, (9.6, 175.0)),
    )
)
