"""A few steps of a tiny model in one process, and in two that share its weights. Called by a test: `python separate_shards.py MODEL`.

Prints the losses of both, and how many weights the first process of each holds between two steps.
"""

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from PIL import Image
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from benchmarks.forking import run_ranks
from minigpt4.checkpoints.loading import load
from minigpt4.training import PackingCollator, load_recipe, use_packed_attention
from minigpt4.training.masks import apply_mask


STEPS, ROWS = 3, 4


def train(checkpoint: str, file: Path) -> None:
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    model, processor = load(checkpoint)
    apply_mask(model, "projector")
    model.train()  # after the mask, so that what is frozen has no dropout
    use_packed_attention(model)
    if ranks > 1:
        dist.init_process_group("gloo")
        mesh = init_device_mesh("cpu", (ranks,))
        for layer in model.model.language_model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.5)
    # All of one length, so that the mean of the processes is that of all rows.
    rows = [{"image": Image.new("RGB", (28, 28), (60 * row,) * 3), "text": f"grey {row}"} for row in range(ROWS)]
    rows = [{**row, "row": number, "epoch": 0} for number, row in enumerate(rows)]
    sequence = load_recipe("stage1", bf16=False, use_cpu=True)[1]
    batch = dict(PackingCollator(processor, sequence)(rows[rank::ranks]))
    del batch["rows"]
    losses = []
    for _ in range(STEPS):
        loss = model(**batch, skip_logits=True).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        mean = loss.detach() / ranks
        if ranks > 1:
            dist.all_reduce(mean)
        losses.append(mean.item())
    held = sum((each.to_local() if isinstance(each, DTensor) else each).numel() for each in model.parameters())
    if rank == 0:
        file.write_text(json.dumps({"losses": losses, "held": held}))
    if ranks > 1:
        dist.destroy_process_group()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        results = []
        for processes in (1, 2):
            file = Path(folder) / str(processes)
            endings = run_ranks(partial(train, sys.argv[1], file), processes)
            if any(endings):
                sys.exit(f"the processes ended with {endings}")
            results.append(json.loads(file.read_text()))
        print(json.dumps(results))


if __name__ == "__main__":
    main()
