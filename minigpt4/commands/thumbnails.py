"""Small pictures in terminals that can show them: kitty's, iTerm2's and the sixel protocol. Others get none.

- kitty: https://sw.kovidgoyal.net/kitty/graphics-protocol/ (also Ghostty)
- iTerm2: https://iterm2.com/documentation-images.html (also WezTerm)
- sixel: https://vt100.net/docs/vt3xx-gp/chapter14.html (foot, xterm -ti vt340, Windows Terminal, …)
"""

import os
import re
import select
import shutil
import sys
from base64 import b64encode
from functools import cache
from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from minigpt4.commands.keyboard import keys_wait, on_terminal


if TYPE_CHECKING:
    from PIL.Image import Image


ROWS = 8  # of the terminal's lines, at most
ROW_PIXELS = 20  # as on the terminal that sixels were made for; cells are half as wide as high
COLOURS = 64
ANSWER_SECONDS = 0.2
CHUNK = 4096  # kitty takes no more at once


@cache
def protocol() -> Literal["kitty", "iterm2", "sixel"] | None:
    """How this terminal shows pictures; `None` where it does not. Asks the terminal: call it before keys are typed."""
    kind, program = os.environ.get("TERM", "dumb"), os.environ.get("TERM_PROGRAM")
    if not on_terminal() or kind.startswith(("dumb", "linux", "screen", "tmux")):
        return None
    if kind in ("xterm-kitty", "xterm-ghostty"):
        return "kitty"
    if "iTerm2" in (os.environ.get("LC_TERMINAL"), program) or program in ("iTerm.app", "WezTerm"):
        return "iterm2"
    return "sixel" if "4" in _attributes() else None


def show_thumbnail(picture: "Image") -> None:
    """Print a picture of at most eight lines, where the terminal can."""
    if (kind := protocol()) is not None:
        print(encode(picture, kind, shutil.get_terminal_size().columns), flush=True)


def encode(picture: "Image", kind: Literal["kitty", "iterm2", "sixel"], columns: int) -> str:
    """
    What a terminal shows a small picture for.

    Args:
        picture (`Image`): in RGB.
        kind (`str`): the protocol.
        columns (`int`): width of the terminal.
    """
    rows = max(1, min(ROWS, int(columns * picture.height / picture.width / 2)))
    small = picture.copy()
    small.thumbnail((columns * ROW_PIXELS // 2, rows * ROW_PIXELS))
    if kind == "sixel":
        return _sixels(small)
    png = BytesIO()
    small.save(png, "PNG")
    data = b64encode(png.getvalue()).decode()
    if kind == "iterm2":
        return f"\x1b]1337;File=inline=1;height={rows};preserveAspectRatio=1:{data}\a"
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    settings = [f"a=T,f=100,q=2,r={rows}," if number == 0 else "" for number in range(len(chunks))]
    more = [*[1] * (len(chunks) - 1), 0]
    return "".join(f"\x1b_G{s}m={m};{chunk}\x1b\\" for s, m, chunk in zip(settings, more, chunks, strict=True))


def _sixels(picture: "Image") -> str:
    """Six rows of pixels at a time, each colour in turn: a character has a bit for each of the six."""
    import numpy as np

    image = picture.quantize(COLOURS)
    pixels, palette = np.asarray(image), image.getpalette() or []
    parts = [f'\x1bPq"1;1;{image.width};{image.height}']
    for colour in np.unique(pixels):
        red, green, blue = (round(value * 100 / 255) for value in palette[3 * colour : 3 * colour + 3])
        parts.append(f"#{colour};2;{red};{green};{blue}")
    for top in range(0, image.height, 6):
        band = pixels[top : top + 6]
        weights = 1 << np.arange(len(band))
        lines = (f"#{colour}{_repeated(weights @ (band == colour))}" for colour in np.unique(band))
        parts.append("$".join(lines) + "-")
    return "".join(parts) + "\x1b\\"


def _repeated(bits) -> str:
    return "".join(f"!{len([*run])}{chr(63 + value)}" for value, run in groupby(bits.tolist()))


def _attributes() -> list[str]:
    """What the terminal says that it can do (DA1); nothing where it does not answer soon, or somebody is typing."""
    if sys.platform == "win32":
        return []
    keyboard = sys.stdin.fileno()
    with keys_wait():
        if select.select([keyboard], [], [], 0)[0]:
            return []
        print("\x1b[c", end="", flush=True)
        answer = b""
        while not (found := re.search(rb"\x1b\[\?([\d;]*)c", answer)):
            if not select.select([keyboard], [], [], ANSWER_SECONDS)[0]:
                return []
            answer += os.read(keyboard, 64)
    return found[1].decode().split(";")
