"""The harnesses themselves where they are installed, else what our classes touch of them."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import LogitsProcessor


INTERFACES = Path(__file__).parent / "interfaces"


@pytest.fixture
def harnesses(monkeypatch):
    """Both can be imported."""
    if any(find_spec(name) is None for name in ("lmms_eval", "vlmeval")):
        monkeypatch.syspath_prepend(INTERFACES)
    ours = "minigpt4.evaluation.harnesses."
    yield
    for name in [*sys.modules]:
        if name.startswith((f"{ours}lmms_eval", f"{ours}vlmevalkit")) or _is_stored(name):
            del sys.modules[name]


def _is_stored(name: str) -> bool:
    file = getattr(sys.modules[name], "__file__", None) or ""
    return Path(file).is_relative_to(INTERFACES)


class Dictation(LogitsProcessor):
    """The model says this, and ends."""

    def __init__(self, processor, text: str):
        self.ids = processor.tokenizer(f"{text}###", add_special_tokens=False)["input_ids"]
        self.start: int | None = None

    def __call__(self, input_ids, scores):
        self.start = input_ids.shape[1] if self.start is None else self.start
        forced = torch.full_like(scores, -torch.inf)
        forced[:, self.ids[min(input_ids.shape[1] - self.start, len(self.ids) - 1)]] = 0
        return forced


@pytest.fixture
def dictate(monkeypatch):
    """Makes a harness's model say a text, and know MiniGPT-v2's tasks; gives the list of prompts it is asked."""

    def dictated(harness, text: str) -> list[str]:
        generate, prompts = harness.model.generate, []

        def say(**inputs):
            prompts.extend(harness.processor.tokenizer.batch_decode(inputs["input_ids"], skip_special_tokens=False))
            return generate(**inputs, logits_processor=[Dictation(harness.processor, text)])

        monkeypatch.setattr(harness.model, "generate", say)
        monkeypatch.setattr(harness.processor, "task_identifiers", ["vqa", "refer", "caption"])
        return prompts

    return dictated
