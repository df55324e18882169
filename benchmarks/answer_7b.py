"""One answer of a checkpoint on this machine, as `describe` makes it: prints times as one JSON line.

    python -m benchmarks.answer_7b FOLDER [--dtype bfloat16]

`python -m benchmarks.convert_7b FAMILY --answer` runs it on the real 7B shapes, and measures its memory.
"""

import argparse
import json
import sys
import time
import warnings

from PIL import Image

from minigpt4.inference.answering import answer
from minigpt4.inference.turns import user_turn
from minigpt4.loading import load


PROMPT, TOKENS = "Describe this image in detail.", 4


def answered(folder: str, dtype: str = "auto") -> dict:
    """Seconds of loading, to the first token after it, and of each further token; and in which precision."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, processor = load(folder, dtype=dtype)
    stamps = [time.perf_counter()]
    answer(
        model,
        processor,
        [[user_turn(PROMPT, Image.new("RGB", (640, 480)))]],
        max_new_tokens=TOKENS,
        min_new_tokens=TOKENS,  # random weights may end an answer at once
        on_token=lambda count: stamps.append(time.perf_counter()),
    )
    return {
        "dtype": str(model.dtype).removeprefix("torch."),
        "said": [str(each.message) for each in caught if "computing in" in str(each.message)],
        "loading_s": round(stamps[0] - start, 3),
        "first_token_s": round(stamps[1] - stamps[0], 3),
        "further_token_s": round((stamps[-1] - stamps[1]) / (TOKENS - 1), 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answer_7b")
    parser.add_argument("folder")
    parser.add_argument("--dtype", default="auto")
    asked = parser.parse_args(sys.argv[1:])
    print(json.dumps(answered(asked.folder, asked.dtype)), flush=True)
