"""Pictures for the processor tests, which ask for them by address: drawn here, so that no test needs the Hub."""

import functools
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="transformers-tests-")


@functools.cache
def url_to_local_path(url: str) -> str:
    """A local picture of seeded noise in place of `url`; other kinds of file (video, sound) keep their address."""
    name = Path(url).name
    if not name.endswith((".jpg", ".png")):
        return url
    path = Path(_folder().name) / name
    pixels = np.random.default_rng(0).integers(0, 256, size=(48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)
