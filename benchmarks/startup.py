"""Import and start-up times, compared with transformers."""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from minigpt4.evaluation.scenes import draw, sample_scenes

from .case import Case, Figures
from .measuring import interleave


def start(*arguments: str) -> float:
    """Seconds of a separate Python process."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def importing() -> Figures:
    seconds = interleave(lambda: start("-c", "import minigpt4"), lambda: start("-c", "import transformers"))
    return Figures(*seconds, limit=min(start("-c", "pass") for _ in range(3)) / seconds[1])


def describing() -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.png"
        draw(next(sample_scenes(seed=0, held_out=True)), rng=random.Random(0)).save(path)
        imports = "import torch; from transformers import AutoProcessor, LlamaForCausalLM"
        seconds = interleave(
            lambda: start("-m", "minigpt4", "describe", str(path)), lambda: start("-c", imports), repetitions=3
        )
    # It needs these imports anyway.
    return Figures(
        *seconds, limit=1.0, notes={"help_s": round(min(start("-m", "minigpt4", "--help") for _ in range(3)), 2)}
    )


CASES = [
    Case("start-up, import", "s", 2.0, importing, less_is_better=True),
    Case("start-up, describe with nano beside the bare imports", "s", 1.5, describing, less_is_better=True),
]
