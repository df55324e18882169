"""Saved folders of the benchmark model and of LLaVA of the same size, for what starts from a folder, and pictures in files."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from . import models


@cache
def workplace() -> Path:
    """A folder with `ours`, `llava` and `pictures`, which lasts as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="minigpt4-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, model, processor in (
        ("ours", models.ours(), models.processor()),
        ("llava", models.llava(), models.llava_processor()),
    ):
        models.speaking(model).save_pretrained(folder / name)
        processor.save_pretrained(folder / name)
    (folder / "pictures").mkdir()
    return folder


def pictures(count: int) -> list[Path]:
    """So many files of pictures, in a folder of their own."""
    folder = workplace() / "pictures" / str(count)
    folder.mkdir(exist_ok=True)
    files = [folder / f"{number:03}.jpg" for number in range(count)]
    for number, file in enumerate(files):
        file.write_bytes(models.picture(number))
    return files
