"""The real 7B shapes with random weights in bfloat16, on one GPU: training steps and generation, compared with BLIP-2.

    python -m benchmarks.gpu_7b

Prints one JSON line per figure. Without a GPU it runs on the small models of `make bench`, in float32, and reports what
it could not measure. Batches are prepared in advance: only the steps are timed.
"""

import gc
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from statistics import median

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import Blip2ForConditionalGeneration
from transformers.utils import logging

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration
from minigpt4.training import PackingCollator, SequenceCollator, load_recipe, use_packed_attention

from . import models


GPU = torch.cuda.is_available()
DEVICE, DTYPE = ("cuda", torch.bfloat16) if GPU else ("cpu", torch.float32)
STEPS, NEW_TOKENS = (10, 128) if GPU else (2, 8)
# Rows of a batch, and tokens of their answers: as published on the GPU.
STAGES = {"stage1": (64 if GPU else 4, 6, 32), "stage2": (12 if GPU else 4, 60, 160)}
# Dense bfloat16, from the manufacturers' data sheets.
PEAK_TFLOPS = {"H200": 989, "H100": 989, "A100": 312, "L40S": 362}


def config() -> MiniGPT4Config:
    if not GPU:
        return models.config()
    vision = {"initializer_range": 0.02}
    return models.config(vision=vision, qformer={}, text={"model_type": "llama", "vocab_size": 32001})


def build(kind: type) -> nn.Module:
    settings = config() if kind is MiniGPT4ForConditionalGeneration else models.blip2_config(config())
    with torch.device(DEVICE):
        model = kind._from_config(settings, dtype=DTYPE).eval().requires_grad_(False)
    projection = "multi_modal_projector" if kind is MiniGPT4ForConditionalGeneration else "language_projection"
    for name, parameter in model.named_parameters():
        if projection in name:
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)
    return model


def batches(stage: str) -> dict[str, dict]:
    """The same rows packed and padded, on the device."""
    count, shortest, longest = STAGES[stage]
    sequence = load_recipe(stage, bf16=False, use_cpu=True)[1]
    rows = [{**row, "row": number, "epoch": 0} for number, row in enumerate(models.rows(count, shortest, longest))]
    made = {}
    for collator in (PackingCollator, SequenceCollator):
        batch = dict(collator(models.processor(), sequence)(rows))
        del batch["rows"]
        made[collator.__name__] = {
            name: value.to(DEVICE) if isinstance(value, torch.Tensor) else value for name, value in batch.items()
        }
        made[collator.__name__]["pixel_values"] = made[collator.__name__]["pixel_values"].to(DTYPE)
    return made


def seconds(work: Callable[[], object]) -> float:
    """Median of `STEPS` calls, after two warm-up calls."""
    times = []
    for _ in range(STEPS + 2):
        _wait()
        start = time.perf_counter()
        work()
        _wait()
        times.append(time.perf_counter() - start)
    return median(times[2:])


def _wait() -> None:
    if GPU:
        torch.cuda.synchronize()


def train(model: nn.Module, batch: dict) -> tuple[dict, int]:
    """Figures for training steps, and the operations of one step."""
    optimizer = torch.optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad], lr=0.0)
    model.train()

    def step() -> None:
        with torch.autocast(DEVICE, DTYPE, enabled=GPU):
            loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    with FlopCounterMode(display=False) as counter:
        step()
    if GPU:
        torch.cuda.reset_peak_memory_stats()
    figures = {"seconds": seconds(step)}
    if GPU:
        figures["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    model.eval()
    return figures, counter.get_total_flops()


def training(kind: type, model: nn.Module) -> Iterator[dict]:
    for stage, (count, *_) in STAGES.items():
        made = batches(stage)
        if kind is not MiniGPT4ForConditionalGeneration:
            padded = made["SequenceCollator"]
            del padded["logits_to_keep"]  # which the peer does not accept
            cases = {stage: padded}
        else:
            packed = {**made["PackingCollator"], "skip_logits": True}
            with torch.no_grad(), torch.autocast(DEVICE, DTYPE, enabled=GPU):
                features = model.model.get_vision_features(packed["pixel_values"]).pooler_output
            cached = {name: value for name, value in packed.items() if name != "pixel_values"}
            cases = {stage: packed, f"{stage}, cached": {**cached, "vision_features": features}}
        for name, batch in cases.items():
            figures, flops = train(model, batch)
            per_second = flops / figures["seconds"]
            yield {
                "case": f"train {name}",
                "samples_per_second": round(count / figures.pop("seconds"), 3),
                "tflop": round(flops / 1e12, 3),
                "utilisation": round(per_second / peak, 3) if (peak := peak_flops()) else None,
                **figures,
            }


@torch.no_grad()
def generation(model: nn.Module) -> Iterator[dict]:
    processor = models.processor()
    settings = {"min_new_tokens": NEW_TOKENS, "max_new_tokens": NEW_TOKENS, "do_sample": False}
    text = "<s>###Human: <Img><ImageHere></Img> Describe this image in detail. ###Assistant: "
    for count in (1, 16):
        inputs = processor(
            images=[models.picture(number) for number in range(count)], text=[text] * count, return_tensors="pt"
        ).to(DEVICE, DTYPE)
        taken = seconds(lambda inputs=inputs: model.generate(**inputs, **settings))
        yield {"case": f"generate, batch {count}", "tokens_per_second": round(count * NEW_TOKENS / taken, 2)}


def peak_flops() -> float | None:
    if not GPU:
        return None
    name = torch.cuda.get_device_name()
    return next((tflops * 1e12 for card, tflops in PEAK_TFLOPS.items() if card in name), None)


def main() -> None:
    logging.set_verbosity_error()
    card = torch.cuda.get_device_name() if GPU else None
    common = {"card": card, "date": datetime.now(UTC).date().isoformat()}
    if not GPU:
        print(
            json.dumps(
                {
                    "not_measured": "There is no GPU: 7B shapes, bfloat16, peak memory and utilisation were not "
                    "measured; what follows is the small model on the CPU."
                }
            )
        )
    found: dict[str, dict] = {}
    for who, kind in (("peer", Blip2ForConditionalGeneration), ("ours", MiniGPT4ForConditionalGeneration)):
        model = build(kind)
        if who == "ours":
            use_packed_attention(model)
        for figures in (*training(kind, model), *generation(model)):
            rate = next(name for name in figures if name.endswith("per_second"))
            if who == "peer":
                found[figures["case"]] = figures
            elif beside := found.get(figures["case"].removesuffix(", cached")):
                figures["ratio"] = round(figures[rate] / beside[rate], 3)
            print(json.dumps({"who": who, **figures, **common}), flush=True)
        del model
        gc.collect()
        if GPU:
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
