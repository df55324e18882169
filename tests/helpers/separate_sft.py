"""`SFTTrainer` on rows without an image, with one and with two, in processes of its own. Called by a test:
`python separate_sft.py MODEL OUTPUT`. Trains once in one process and once in two, on the same global batches, and saves
into OUTPUT/1 and OUTPUT/2, with the `losses`, the `inputs` of an image and the trained model's `logits` as `seen.pt`.
"""

import sys
from functools import partial
from pathlib import Path

import datasets
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from trl import SFTConfig, SFTTrainer

import minigpt4  # noqa: F401
from benchmarks.forking import run_ranks
from minigpt4.training import lora_config


RED = Image.new("RGB", (28, 28), "red")
CHAT = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A cat."}]
FEATURES = {
    "images": datasets.List(datasets.Image()),
    "messages": datasets.List({"role": datasets.Value("string"), "content": datasets.Value("string")}),
}


def train(name: str, output: Path, processes: int) -> None:
    rows = [{"images": [RED] * (index % 3), "messages": CHAT} for index in range(8)]
    processor = AutoProcessor.from_pretrained(name)
    args = SFTConfig(
        str(output),
        max_steps=4,
        per_device_train_batch_size=2 // processes,
        learning_rate=1e-2,
        assistant_only_loss=True,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=AutoModelForImageTextToText.from_pretrained(name),
        args=args,
        processing_class=processor,
        train_dataset=datasets.Dataset.from_list(rows, features=datasets.Features(FEATURES)),
        peft_config=lora_config(r=2, lora_dropout=0.0),
    )
    trainer.train()
    trainer.save_model()
    if trainer.is_world_process_zero():
        inputs = dict(processor(images=RED, text="<ImageHere> What?", return_tensors="pt"))
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        with torch.no_grad():
            logits = trainer.accelerator.unwrap_model(trainer.model).eval()(**inputs).logits
        torch.save({"losses": losses, "inputs": inputs, "logits": logits}, output / "seen.pt")


if __name__ == "__main__":
    for processes in (1, 2):
        endings = run_ranks(partial(train, sys.argv[1], Path(sys.argv[2]) / str(processes), processes), processes)
        if any(endings):
            sys.exit(f"{processes} process(es) ended with {endings}")
