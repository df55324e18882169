"""`python -m benchmarks.rewards [MODEL]`: does what docs/rewards.md tells people to do, in a new folder, and prints the scores.

One line of JSON for each evaluation of the guide: before, after GRPO and after DPO. MODEL, a folder, takes nano-v2's place.
"""

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

from minigpt4.cli import run


GUIDE = Path(__file__).parents[1] / "docs" / "rewards.md"


def follow(guide: str, model: str | Path | None = None) -> Iterator[dict]:
    """
    Run the blocks of the guide in their order, in the current folder.

    Args:
        guide (`str`): the text of docs/rewards.md, or one with fewer steps.
        model (`str` or `Path`, *optional*): folder of a model in place of nano-v2.

    Yields:
        `dict`: after each block, what its Python has defined so far.

    Raises:
        RuntimeError: a command of the guide has failed.
    """
    names: dict = {}
    with patch("minigpt4.nano_path", lambda version: Path(model)) if model else nullcontext():
        for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", guide, flags=re.MULTILINE | re.DOTALL):
            if language == "python":
                exec(compile(text, str(GUIDE), "exec"), names)
            else:
                for line in text.splitlines():
                    words = [str(model) if model and word == "nano-v2" else word for word in shlex.split(line)[1:]]
                    if run([*words, "--json"]):
                        raise RuntimeError(f"{line} failed.")
            yield names


if __name__ == "__main__":
    given = str(Path(sys.argv[1]).resolve()) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for _ in follow(GUIDE.read_text(encoding="utf-8"), given):
            pass
