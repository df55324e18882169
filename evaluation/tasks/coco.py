"""What COCO's annotations say of its pictures: captions and objects."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .files import CocoImages, existing, read_rows
from .files import field as value


# In the order in which they are looked for; each with the folder that its pictures may be in.
SPLITS = ("val2014", "val2017")


@dataclass
class CocoPicture:
    """
    A picture with its annotations.

    Args:
        id (`str`): COCO's number.
        file (`str`): where it is.
        size (`tuple[int, int]`): (width, height) in pixels.
        captions (`list[str]`): of people.
        objects (`list[dict]`): `label`, `box` (x1, y1, x2, y2 in pixels) and `crowd` of each.
    """

    id: str
    file: str
    size: tuple[int, int]
    captions: list[str] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)


def read_pictures(root: Path, captions: bool = False, objects: bool = False) -> Iterator[CocoPicture]:
    """
    The pictures of COCO's validation with what the annotations say, in the order of the files.

    Args:
        root (`Path`): folder of all data, with `coco/annotations`.
        captions, objects (`bool`): what is wanted; pictures that lack it are left out.
    """
    folder = existing(root, "coco/annotations")
    kinds = [kind for kind, wanted in (("captions", captions), ("instances", objects)) if wanted]
    first = existing(folder, *(f"{kinds[0]}_{split}.json" for split in SPLITS))
    split = first.stem.rpartition("_")[2]
    files = [existing(folder, f"{kind}_{split}.json") for kind in kinds]
    images = CocoImages(root, f"coco/{split}", "coco/images")
    pictures = {
        value(row, place, "id"): CocoPicture(
            str(row["id"]), images(row["id"]), (value(row, place, "width"), value(row, place, "height"))
        )
        for place, row in read_rows(first, "images")
    }
    if captions:
        for place, row in read_rows(files[0], "annotations"):
            pictures[value(row, place, "image_id")].captions.append(value(row, place, "caption").strip())
    if objects:
        names = {
            value(row, place, "id"): value(row, place, "name") for place, row in read_rows(files[-1], "categories")
        }
        for place, row in read_rows(files[-1], "annotations"):
            x, y, width, height = value(row, place, "bbox")
            label = names[value(row, place, "category_id")]
            crowd = {"crowd": True} if row.get("iscrowd") else {}
            pictures[value(row, place, "image_id")].objects.append(
                {"label": label, "box": [x, y, x + width, y + height], **crowd}
            )
    for picture in pictures.values():
        if (picture.captions or not captions) and (picture.objects or not objects):
            yield picture


def objects_of_kinds(picture: CocoPicture) -> dict[str, list[dict[str, Any]]]:
    """The objects of a picture by their names."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in picture.objects:
        kinds[one["label"]].append(one)
    return dict(kinds)
