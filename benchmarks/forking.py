"""Processes forked from one that has imported PyTorch: one import serves many programs."""

import os

import torch


def fork() -> int:
    """`os.fork`, after which threads of the new process may use PyTorch at once: it replaces its pool of threads when it is
    first used after a fork, which fails if two do so at the same time, as those that load weights might."""
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(torch.get_num_threads())
    return pid
