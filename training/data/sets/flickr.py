"""Sets of Flickr30k Entities as MiniGPT-v2 filtered them: grounded captions, and phrases with their boxes."""

import random
from functools import partial

from minigpt4.processing.tasks import TASKS
from minigpt4.training.row import Row

from .annotations import KEY, TEXT, Annotation
from .images import named
from .published_set import PublishedSet, ask


DETECTION = TASKS["detection"].asked


def _grounded(row: Annotation, rng: random.Random) -> Row:
    return ask(rng.choice(TASKS["grounding"].forms), row["grounded_caption"])


def _detected(row: Annotation, rng: random.Random) -> Row:
    return ask(DETECTION.format(row["caption"]), row["output"])


def _phrase(row: Annotation, rng: random.Random) -> Row:
    return ask(DETECTION.format(row["phrase"]), f"<p>{row['phrase']}</p> {row['bbox']}")


def _flickr(task: str, file: str, fields: tuple[str, ...], make) -> PublishedSet:
    return PublishedSet(
        task=task,
        files=(f"filtered_flickr/{file}",),
        fields={"image_id": KEY, **dict.fromkeys(fields, TEXT)},
        make=make,
        images="filtered_flickr/images",
        image_paths=partial(named, pattern="{image_id}.jpg"),
    )


FLICKR_SETS = {
    "flickr_grounded_caption": _flickr("grounding", "groundedcaption.json", ("grounded_caption",), _grounded),
    "flickr_CaptionToPhrase": _flickr(
        "detection",
        "captiontobbox.json",
        ("caption", "output"),
        _detected,
    ),
    "flickr_ObjectToPhrase": _flickr(
        "detection",
        "phrasetobbox.json",
        ("phrase", "bbox"),
        _phrase,
    ),
}
