"""The last step: what is left, in the form of cc_sbu_align and as a folder for `datasets`, and the facts for its card."""

import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import PIL.Image

from minigpt4.checkpoints.writing import unfinished_folder
from minigpt4.processing.image_loading import AsStored, load_image

from .recipe import Recipe
from .review.deciding import agreement
from .sources import picture_path, root_of
from .table import Count, Table


FOLDER = "export"
ALIGN, DATASET, ARGILLA = "cc_sbu_align", "dataset", "argilla"
IMAGES_PER_FOLDER = 5000  # the Hub wants fewer than 10,000 files in each


@dataclass
class Exported:
    """
    What was exported, and how it was made.

    Args:
        folder (`Path`): with `cc_sbu_align`, `dataset` and, if the recipe wants it, `argilla`.
        rows (`int`): how many there are.
        counts (`dict`): step -> [`Count`].
        not_done (`int`): rows that a step has not reached yet, and that are left out.
        models, prompts (`dict`): step -> those used, the most frequent first.
        reviewers (`list[str]`): who looked at the rows.
        agreement (`tuple[int, int]`, *optional*): second looks with the decision of the first, and second looks.
    """

    folder: Path
    rows: int
    counts: dict[str, Count]
    not_done: int
    models: dict[str, list[str]] = field(default_factory=dict)
    prompts: dict[str, list[str]] = field(default_factory=dict)
    reviewers: list[str] = field(default_factory=list)
    agreement: tuple[int, int] | None = None


def export(recipe: Recipe, folder: Path) -> Exported:
    """
    Write the rows that every step of the recipe has kept.

    An image keeps its bytes, so that it stays equal. One that the published training would see otherwise than the model did
    (turned by its EXIF orientation, or with 16 bits) is written as the model saw it, without loss.

    Args:
        recipe ([`Recipe`]): as it was run.
        folder (`Path`): of the table. What an earlier export left there is replaced.

    Raises:
        ValueError: no row is left.
    """
    table, root = Table.open(folder, recipe.steps), root_of(recipe.source, folder)
    steps = [step for step in recipe.steps if step != "export"]
    rows = table.arriving("export")
    waiting = sum(count.waiting for count in (table.count(step) for step in steps))
    counts = {step: table.count(step) for step in steps}
    if not rows:
        raise ValueError(
            f"{folder} has no row to export: {'; '.join(f'{step}: {count}' for step, count in counts.items())}."
        )
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    with unfinished_folder(folder / FOLDER) as output:
        images = output / ALIGN / "image"
        images.mkdir(parents=True)
        annotations, lines = [], []
        for number, row in enumerate(rows):
            content, suffix = _image(picture_path(root, row["image"]))
            text = table.text(row, "export")
            (images / f"{row['id']}.jpg").write_bytes(content)
            annotations.append({"image_id": row["id"], "caption": text})
            name = f"images/{number // IMAGES_PER_FOLDER:03}/{row['id']}{suffix}"
            (output / DATASET / name).parent.mkdir(parents=True, exist_ok=True)
            (output / DATASET / name).write_bytes(content)
            lines.append({"file_name": name, "id": row["id"], "text": text, "source": row["source"]})
        _write(output / ALIGN / "filter_cap.json", json.dumps({"annotations": annotations}, ensure_ascii=False))
        _write(
            output / DATASET / "metadata.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        )
        if recipe.export.argilla:
            from .argilla_format import write_argilla

            write_argilla(output / ARGILLA, lines, output / DATASET)
    models = {step: _used(table, step, "model") for step in steps}
    prompts = {step: _used(table, step, "prompt") for step in steps}
    reviewers = models.pop("review", [])
    same, looks = agreement(row["review"] for row in table.rows if row["review"])
    agreed = (same, looks) if looks else None
    return Exported(folder / FOLDER, len(rows), counts, waiting, models, prompts, reviewers, agreed)


def _image(path: Path) -> tuple[bytes, str]:
    seen = load_image(path)
    content = path.read_bytes()
    with PIL.Image.open(path) as image:
        kind = (image.format or "").lower()
    stored = load_image(AsStored(path))
    if stored.size == seen.size and stored.tobytes() == seen.tobytes():
        return content, ".jpg" if kind in ("jpeg", "mpo") else f".{kind}"
    buffer = BytesIO()
    seen.save(buffer, "PNG")
    return buffer.getvalue(), ".png"


def _used(table: Table, step: str, key: str) -> list[str]:
    return [
        name for name, _ in Counter(row[step][key] for row in table.rows if row[step] and row[step][key]).most_common()
    ]


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
