"""Training the projection with the recipes of both stages, compared with BLIP-2 in transformers' own `Trainer`."""

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from statistics import median

import datasets
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import PrinterCallback, Trainer, TrainingArguments

from minigpt4.training import Recipe, SequenceCollator, StageTrainer, read_recipe
from minigpt4.training.data.features import cache_features
from minigpt4.training.data.rows import number_rows
from minigpt4.training.data.sources import load_train_rows
from minigpt4.training.model import load_model, load_processor

from . import models
from .case import Case, Figures
from .measuring import interleave, peak_memory
from .roofline import Work, least_seconds


# Rows, and tokens of their answers.
STAGES = {"stage1": (48, 6, 32), "stage2": (24, 60, 160)}
BATCH = {"stage1": 16, "stage2": 12}
PEER_TAKES = ("input_ids", "attention_mask", "labels", "pixel_values")


@cache
def workplace() -> Path:
    """A folder with the model, the data of both stages and their features, which lasts as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="minigpt4-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    models.ours().save_pretrained(folder / "model")
    models.processor().save_pretrained(folder / "model")
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    for stage, (count, shortest, longest) in STAGES.items():
        rows = [
            {"image": {"bytes": row["image"]}, "text": row["text"]} for row in models.rows(count, shortest, longest)
        ]
        datasets.Dataset.from_list(rows, features=features).save_to_disk(folder / stage)
        cache_features(recipe(folder, stage, cached=True))
    return folder


def recipe(folder: Path, stage: str, cached: bool) -> Recipe:
    """The shipped recipe for one pass over the data."""
    return read_recipe(
        stage,
        model_name_or_path=str(folder / "model"),
        data=str(folder / stage),
        output_dir=str(folder / "runs"),
        features=str(folder / "features" / stage) if cached else None,
        per_device_train_batch_size=BATCH[stage],
        max_steps=STAGES[stage][0] // BATCH[stage],
        dataloader_num_workers=0,
        bf16=False,
        use_cpu=True,
        disable_tqdm=True,
        save_strategy="no",
    )


def ours(folder: Path, stage: str, cached: bool) -> StageTrainer:
    read = recipe(folder, stage, cached)
    trainer = StageTrainer(
        load_model(read.model),
        read.args,
        read.sequence,
        processing_class=load_processor(read.model),
        train_dataset=load_train_rows(read.data),
    )
    trainer.remove_callback(PrinterCallback)  # stdout is for the figures
    return trainer


def peer(folder: Path, stage: str) -> Trainer:
    """What a BLIP-2 user would write: only the projection trained, the same rows padded, all towers in every step."""
    read = recipe(folder, stage, cached=False)
    model = models.peer().requires_grad_(False)
    model.language_projection.requires_grad_(True)
    collate = SequenceCollator(load_processor(read.model), read.sequence, seed=read.args.seed)
    args = TrainingArguments(
        str(folder / "runs"),
        per_device_train_batch_size=BATCH[stage],
        max_steps=read.args.max_steps,
        learning_rate=read.args.learning_rate,
        max_grad_norm=0.0,
        remove_unused_columns=False,
        use_cpu=True,
        disable_tqdm=True,
        save_strategy="no",
        report_to="none",
    )
    trainer = Trainer(
        model,
        args,
        data_collator=lambda rows: {name: tensor for name, tensor in collate(rows).items() if name in PEER_TAKES},
        train_dataset=number_rows(load_train_rows(read.data), read.args.seed),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def first_step(trainer: Trainer) -> tuple[float, int]:
    """Loss and operations of the first batch, forward and backward, without an update."""
    batch = next(iter(trainer.get_train_dataloader()))
    with FlopCounterMode(display=False) as counter:
        loss = trainer.compute_loss(trainer.model.train(), batch)
        loss.backward()
    trainer.model.zero_grad()
    return loss.item(), counter.get_total_flops()


def speed(stage: str, cached: bool) -> Figures:
    """Samples per second of `train()`, from image files to updated weights."""
    trainers = ours(workplace(), stage, cached), peer(workplace(), stage)
    (loss, flops), (peer_loss, peer_flops) = map(first_step, trainers)
    if abs(loss - peer_loss) > 1e-3:
        raise AssertionError(f"{stage}: not the same work, as our loss is {loss} and the peer's {peer_loss}.")
    processor_seconds: tuple[list[float], list[float]] = ([], [])
    seconds, peer_seconds = interleave(
        *(partial(_train_counted, *each) for each in zip(trainers, processor_seconds, strict=True))
    )
    samples = BATCH[stage] * trainers[0].args.max_steps
    counted, peer_counted = (median(each[1:]) for each in processor_seconds)
    notes = {
        "gflop_per_sample": [round(count / BATCH[stage] / 1e9, 2) for count in (flops, peer_flops)],
        # CPU time: other load on the machine affects it less.
        "processor_seconds": [round(counted, 2), round(peer_counted, 2)],
        "processor_ratio": round(peer_counted / counted, 2),
    }
    limit = BATCH[stage] / least_seconds(Work(flops))
    return Figures(samples / seconds, samples / peer_seconds, limit, notes)


def _train_counted(trainer: Trainer, seconds: list[float]) -> None:
    start = time.process_time()
    trainer.train()
    seconds.append(time.process_time() - start)


def memory(stage: str, cached: bool) -> Figures:
    """Peak MiB of building the trainer with its model, and of `train()`."""
    folder = workplace()
    peaks = [
        peak_memory(partial(_train, build)) / 2**20
        for build in (partial(ours, folder, stage, cached), partial(peer, folder, stage))
    ]
    held = [held_bytes(build) for build in (partial(ours, folder, stage, cached), partial(peer, folder, stage))]
    return Figures(*peaks, limit=held[0] / 2**20, notes={"held_mib": [round(count / 2**20) for count in held]})


def _train(build: Callable[[], Trainer]) -> Callable[[], object]:
    return lambda: build().train()


def held_bytes(build: Callable[[], Trainer]) -> int:
    """Weights, and what the forward pass of the first batch saves for the backward pass."""
    trainer = build()
    model: nn.Module = trainer.model.train()
    kept = {parameter.untyped_storage().data_ptr(): parameter.untyped_storage() for parameter in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    batch = next(iter(trainer.get_train_dataloader()))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = trainer.compute_loss(model, batch)
    assert loss.requires_grad
    return sum(storage.nbytes() for storage in kept.values())


CASES = [
    Case("train stage 1", "samples/s", 1.25, partial(speed, "stage1", cached=False)),
    Case("train stage 1, cached", "samples/s", 2.2, partial(speed, "stage1", cached=True)),
    Case("train stage 2, cached", "samples/s", 1.4, partial(speed, "stage2", cached=True)),
    Case("memory stage 1", "MiB", 0.6, partial(memory, "stage1", cached=False), less_is_better=True),
    Case("memory stage 1, cached", "MiB", 0.6, partial(memory, "stage1", cached=True), less_is_better=True),
    Case("memory stage 2, cached", "MiB", 0.6, partial(memory, "stage2", cached=True), less_is_better=True),
]
