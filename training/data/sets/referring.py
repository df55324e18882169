"""Sets of regions and the words for them: RefCOCO, RefCOCO+, RefCOCOg both ways, and Visual Genome."""

import random
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from minigpt4.checkpoints.strangers import read_json
from minigpt4.processing.boxes import format_box
from minigpt4.processing.tasks import TASKS
from minigpt4.training.row import Row

from .annotations import NUMBER, NUMBERS, TEXT, TEXTS, Annotation, PlacedAnnotation, placed, read_list
from .images import named
from .pickles import read_plain_pickle
from .published_set import PublishedSet, ask
from .text import clean_caption


REGION_PIXELS = 16384  # of Visual Genome, smaller regions only


def _box(row: Annotation) -> str:
    x, y, width, height = row["bbox"]
    return format_box((x, y, x + width, y + height), row["image_size"], clip=False)


def _sentence(row: Annotation, rng: random.Random) -> str:
    return clean_caption(rng.choice(row["sentences"]))


def _refer(row: Annotation, rng: random.Random) -> Row:
    return ask(rng.choice(TASKS["refer"].forms).format(_sentence(row, rng)), _box(row))


def _identify(row: Annotation, rng: random.Random) -> Row:
    return ask(rng.choice(TASKS["identify"].forms).format(_box(row)), _sentence(row, rng))


def _read_refs(refs: Path, instances: Path) -> Iterator[PlacedAnnotation]:
    """The references of a pickle, each with its box and its image out of COCO's instances."""
    coco = read_json(instances)
    try:
        boxes = {annotation["id"]: {"bbox": annotation["bbox"]} for annotation in coco["annotations"]}
        images = {
            image["id"]: {"image": image["file_name"], "image_size": [image["width"], image["height"]]}
            for image in coco["images"]
        }
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{instances} lacks {error}: it must have images and annotations, as COCO's files do."
        ) from None
    for where, ref in placed(refs, read_plain_pickle(refs)):
        try:
            found = {**images.get(ref["image_id"], {}), **boxes.get(ref["ann_id"], {})}
            found["sentences"] = [sentence["raw"] for sentence in ref["sentences"]]
        except (KeyError, TypeError):
            yield where, ref  # the check of its fields reports what is missing
        else:
            yield where, {**ref, **found}


def _not_for_training(row: Annotation) -> str | None:
    return None if row["split"] == "train" else "not of the split for training"


def _refcoco(folder: str, refs: str, task: str) -> PublishedSet:
    return PublishedSet(
        task=task,
        files=(f"refcoco_annotations/{folder}/{refs}", f"refcoco_annotations/{folder}/instances.json"),
        fields={"split": TEXT, "image": TEXT, "image_size": NUMBERS, "bbox": NUMBERS, "sentences": TEXTS},
        make={"refer": _refer, "identify": _identify}[task],
        images="coco/images",
        image_paths=partial(named, pattern="{image}"),
        read=_read_refs,
        left_out=_not_for_training,
    )


def _read_regions(regions: Path, image_data: Path) -> Iterator[PlacedAnnotation]:
    """The regions of Visual Genome, each with its image."""
    try:
        images = {
            # The folder and the name of the file are the end of its address.
            image["image_id"]: {
                "image": "/".join(urlsplit(image["url"]).path.split("/")[-2:]),
                "image_size": [image["width"], image["height"]],
            }
            for image in read_json(image_data)
        }
    except (KeyError, TypeError) as error:
        raise ValueError(f"{image_data} is not as published: an image lacks {error}.") from None
    for where, image in read_list(regions):
        try:
            found = image["regions"], images[image["id"]]
        except (KeyError, TypeError):
            yield where, image
            continue
        for number, region in enumerate(found[0], start=1):
            yield f"{where}, region {number}", {**region, **found[1]} if isinstance(region, Mapping) else region


def _region(row: Annotation, rng: random.Random) -> Row:
    box = [row["x"], row["y"], row["width"], row["height"]]
    return ask(rng.choice(TASKS["refer"].forms).format(clean_caption(row["phrase"])), _box({**row, "bbox": box}))


def _too_large(row: Annotation) -> str | None:
    return None if row["width"] * row["height"] < REGION_PIXELS else f"{REGION_PIXELS:,} square pixels or more"


REFERRING_SETS = {
    "refcoco": _refcoco("refcoco", "refs(unc).p", "refer"),
    "refcoco+": _refcoco("refcoco+", "refs(unc).p", "refer"),
    "refcocog": _refcoco("refcocog", "refs(umd).p", "refer"),
    "invrefcoco": _refcoco("refcoco", "refs(unc).p", "identify"),
    "invrefcoco+": _refcoco("refcoco+", "refs(unc).p", "identify"),
    "invrefcocog": _refcoco("refcocog", "refs(umd).p", "identify"),
    "refvg": PublishedSet(
        task="refer",
        files=("visual_genome/region_descriptions.json", "visual_genome/image_data.json"),
        fields={
            "phrase": TEXT,
            "image": TEXT,
            "image_size": NUMBERS,
            **dict.fromkeys(("x", "y", "width", "height"), NUMBER),
        },
        make=_region,
        images="visual_genome",
        image_paths=partial(named, pattern="{image}"),
        read=_read_regions,
        left_out=_too_large,
    ),
}
