"""A checkpoint with its code beside it needs no minigpt4 to be installed."""

import subprocess
import sys

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor


SAVE = """
import sys, torch, minigpt4
from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration, MiniGPT4ImageProcessorPil, MiniGPT4Processor
MiniGPT4Config.register_for_auto_class()
MiniGPT4ForConditionalGeneration.register_for_auto_class("AutoModelForImageTextToText")
MiniGPT4ImageProcessorPil.register_for_auto_class("AutoImageProcessor")
MiniGPT4Processor.register_for_auto_class()
MiniGPT4ForConditionalGeneration.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])
MiniGPT4Processor.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])
"""

LOAD = """
import sys
sys.modules["minigpt4"] = None  # as if it were not installed
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
model = AutoModelForImageTextToText.from_pretrained(sys.argv[1], trust_remote_code=True)
processor = AutoProcessor.from_pretrained(sys.argv[1], trust_remote_code=True)
inputs = processor(images=Image.new("RGB", (40, 30), "red"), text="<ImageHere> What?", return_tensors="pt")
assert type(model).__module__.startswith("transformers_modules."), type(model)
torch.save({"logits": model(**inputs).logits, "answer": model.generate(**inputs)}, sys.argv[2])
"""


def test_loads_and_gives_the_same_logits_and_answer(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    for program, arguments in (
        (SAVE, (tiny_checkpoint, tmp_path / "hub")),
        (LOAD, (tmp_path / "hub", tmp_path / "out.pt")),
    ):
        run = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert run.returncode == 0, run.stderr
    from PIL import Image

    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    processor = AutoProcessor.from_pretrained(tiny_checkpoint)
    inputs = processor(images=Image.new("RGB", (40, 30), "red"), text="<ImageHere> What?", return_tensors="pt")
    remote = torch.load(tmp_path / "out.pt")
    assert torch.equal(remote["logits"], model(**inputs).logits)
    assert torch.equal(remote["answer"], model.generate(**inputs))
