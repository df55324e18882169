"""Several processes of a published stage: each takes the mean of its own tokens, as the original's DDP does."""

import json
from pathlib import Path

import pytest
from helpers import ROOT
from PIL import Image

from minigpt4.training import SequenceArguments, SequenceCollator


PROMPT = "<ImageHere> what is it?"
TEXTS = ["red", "a picture that is red from one side to the other"]


def test_the_loss_of_two_processes(model, processor, tiny_checkpoint, fresh, tmp_path):
    """Of a short answer and a long one, for a recipe that is published and one that is ours."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(2):
        Image.new("RGB", (28, 28), "red").save(folder / f"{number}.png")
    lines = [{"file_name": f"{number}.png", "text": text} for number, text in enumerate(TEXTS)]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))

    collate = SequenceCollator(processor, SequenceArguments(prompts=[PROMPT], answer_end="###", max_answer_tokens=160))
    batches = [collate([{"image": str(folder / "0.png"), "text": text}]) for text in TEXTS]
    losses = [model(**batch).loss.item() for batch in batches]
    tokens = [int((batch["labels"] != -100).sum()) for batch in batches]
    of_processes = sum(losses) / 2
    of_tokens = sum(loss * count for loss, count in zip(losses, tokens, strict=True)) / sum(tokens)
    assert of_processes != pytest.approx(of_tokens, rel=1e-3)

    settings = {
        "model_name_or_path": str(tiny_checkpoint),
        "data": str(folder),
        "prompts": [PROMPT],
        "max_steps": 1,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
    }
    jobs = [
        {
            "recipe": name,
            "overrides": {**settings, "output_dir": str(tmp_path / name)},
            "processes": 2,
            "log": str(tmp_path / f"{name}.log"),
        }
        for name in ("stage2", "own-folder")
    ]
    done = fresh(ROOT / "tests/helpers/separate_runs.py", json.dumps(jobs))
    assert json.loads(done.stdout.splitlines()[-1]) == [[0, 0], [0, 0]], done.stderr
    logged = [json.loads(Path(job["log"]).read_text()) for job in jobs]
    assert [sorted(line["rows"]) for line in logged] == [[0, 1], [0, 1]]
    assert [line["loss"] for line in logged] == pytest.approx([of_processes, of_tokens], rel=1e-4)
