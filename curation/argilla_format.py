"""Records for Argilla 2, where teams review: `dataset.records.from_json` reads them."""

import json
from collections.abc import Sequence
from pathlib import Path

from minigpt4.processing.image_addresses import image_address


def write_argilla(folder: Path, lines: Sequence[dict], images: Path) -> None:
    """
    Write `records.json`: an image field, and the text as a suggestion for a text question.

    Args:
        folder (`Path`): new.
        lines (`Sequence[dict]`): of `metadata.jsonl`.
        images (`Path`): the folder that their `file_name` is in.
    """
    folder.mkdir()
    records = [
        {
            "id": line["id"],
            "status": "pending",
            "fields": {"image": _address(images / line["file_name"])},
            "metadata": {"source": line["source"]},
            "suggestions": {"text": {"value": line["text"], "score": None, "agent": None}},
            "responses": {},
            "vectors": {},
        }
        for line in lines
    ]
    (folder / "records.json").write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")


def _address(file: Path) -> str:
    kind = file.suffix.removeprefix(".").replace("jpg", "jpeg")
    return image_address(file.read_bytes(), kind)
