"""The first step: a model describes each picture."""

import zlib
from typing import Any

from transformers import set_seed

from minigpt4.checkpoints.loading import load_any
from minigpt4.processing.image_loading import load_image

from .describing import Describer
from .sources import picture_path
from .table import DROP, Entry, Row, entry
from .work import Work


def work(work: Work) -> None:
    """Describe the pictures batch by batch. One that cannot be read drops its row, with the reason."""
    section = work.section
    loaded = load_any(work.where(section.model), work.trust_remote_code, device_map=work.device_map())
    describer = Describer(*loaded, section.prompt, section.settings)
    for batch in work.batches(section.batch_size):
        made: dict[str, Entry] = {}
        rows, pictures = [], []
        for row in batch:
            try:
                pictures.append(load_image(picture_path(work.root, row["image"])))
                rows.append(row)
            except (OSError, ValueError) as error:
                made[row["id"]] = entry(None, DROP, reason=type_of(error), error=" ".join(str(error).split()))
        if rows:
            set_seed(batch_seed(section.seed, batch))
            asked = {"model": section.model, "prompt": describer.prompt}
            for row, answer in zip(rows, describer.describe(pictures), strict=True):
                known: dict[str, Any] = {"tokens": describer.length(answer.text), "finished": answer.finished}
                made[row["id"]] = (
                    entry(answer.text, "described", **asked, **known)
                    if answer.text
                    else entry(None, DROP, reason="empty answer", **asked)
                )
        work.write(made)


def type_of(error: Exception) -> str:
    """Why a picture cannot be used, in words that can be counted."""
    return "missing image" if isinstance(error, FileNotFoundError) else "damaged image"


def batch_seed(seed: int, batch: list[Row]) -> int:
    """The same for the same rows, whatever was generated before them in this process."""
    return zlib.crc32(f"{seed} {batch[0]['id']}".encode())
