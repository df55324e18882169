import math

import pytest
import torch

from minigpt4.training import published_learning_rate, published_schedule


STAGE1 = {"total_steps": 20000, "init_lr": 1e-4, "min_lr": 8e-5, "warmup_lr": 1e-6, "warmup_steps": 5000}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1e-6),
        (2500, (1e-6 + 1e-4) / 2),
        (4999, 1e-6 + (1e-4 - 1e-6) * 4999 / 5000),
        # The cosine has been running since step 0: a quarter of it is over when the warm-up ends.
        (5000, 8e-5 + 2e-5 * (1 + math.sqrt(0.5)) / 2),
        (10000, 9e-5),
        (20000, 8e-5),
        (25000, 8e-5),
    ],
)
def test_published_values_of_stage_1(step, expected):
    assert published_learning_rate(step, **STAGE1) == pytest.approx(expected, rel=1e-12)


def test_scheduler_gives_the_formula_at_every_step():
    parameter = torch.nn.Parameter(torch.zeros(1))
    curve = {"total_steps": 20, "init_lr": 3e-5, "min_lr": 1e-5, "warmup_lr": 1e-6, "warmup_steps": 5}
    optimizer = torch.optim.AdamW([parameter], lr=curve["init_lr"])
    scheduler = published_schedule(optimizer, **curve)
    for step in range(20):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(published_learning_rate(step, **curve), rel=1e-12)
        optimizer.step()
        scheduler.step()
