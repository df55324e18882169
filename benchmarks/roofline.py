"""The least time that work can take on this machine, by what it multiplies and reads: speeds are measured in the same run."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from . import models


REPETITIONS = 5
# Rows, columns and depth of products of the benchmark model: of the vision tower, of a layer and of the head.
SHAPES = [(1024, 1536, 384), (1024, 1376, 512), (512, 512, 1376), (128, 32000, 512)]


@dataclass(frozen=True)
class Work:
    """
    Work that is done before what comes next can begin.

    Args:
        operations (`float`): multiplications and additions of matrix products.
        bytes (`float`, *optional*, defaults to 0): that are read at least once.
    """

    operations: float
    bytes: float = 0.0


@dataclass(frozen=True)
class Machine:
    """
    Args:
        operations (`float`): a second, of the fastest product of the benchmark model's shapes.
        bytes (`float`): a second, of reading as much as a step of decoding reads.
    """

    operations: float
    bytes: float


def least_seconds(*parts: Work, machine: Machine | None = None) -> float:
    """
    Seconds of all parts, if each does nothing but multiply, or nothing but read, at full speed.

    Args:
        parts (`Work`): one after another.
        machine (`Machine`, *optional*): Default: this one, as it is now.
    """
    machine = machine or measured()
    return sum(max(part.operations / machine.operations, part.bytes / machine.bytes) for part in parts)


def measured() -> Machine:
    """How fast this machine is now: the best of some repetitions."""
    products = [
        2 * rows * columns * depth / _fastest(lambda a=a, b=b, c=c: torch.mm(a, b, out=c))
        for rows, columns, depth in SHAPES
        for a, b, c in [(torch.rand(rows, depth), torch.rand(columns, depth).T, torch.empty(rows, columns))]
    ]
    width = models.TEXT["hidden_size"]
    read = torch.rand(80_000, width)  # 164 MB
    vector = torch.rand(width)
    ways = [lambda: read.sum(), lambda: torch.mv(read, vector)]
    return Machine(max(products), max(read.nbytes / _fastest(way) for way in ways))


def _fastest(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
