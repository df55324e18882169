"""Runs a function in several processes on the CPU: the sdist leaves out what the tensor parallel tests use for it."""

import multiprocessing
import os
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from torch.multiprocessing import start_processes


# Processes are forked from a server that has imported the rest, once.
multiprocessing.set_forkserver_preload(
    ["transformers_tests.test_tensor_parallel_mixin", "minigpt4.modeling_minigpt4.modeling_minigpt4"]
)


def run_distributed(world_size):
    """`run_distributed(2)(function)(*args)` calls `function(rank, *args)` in two processes that know each other.

    Raises what a rank raises.
    """

    def in_processes(function):
        def run(*args):
            with tempfile.TemporaryDirectory() as folder:
                ranks = (world_size, f"file://{Path(folder) / 'store'}", function, args)
                start_processes(_run_rank, ranks, nprocs=world_size, start_method="forkserver")

        return run

    return in_processes


def _run_rank(rank, world_size, store, function, args):
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world_size))
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world_size)
    try:
        function(rank, *args)
    finally:
        dist.destroy_process_group()
