"""Commands in one process and in two are measured on work that is really done, and is the same."""

import pytest

from benchmarks import folders, models, scaling


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        sizes = {"vocab_size": 1000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
        patch.setattr(models, "TEXT", models.TEXT | sizes)
        patch.setattr(scaling, "BATCH", 1)
        patch.setattr(scaling, "NEW_TOKENS", 3)
        folders.workplace.cache_clear()
        yield
    folders.workplace.cache_clear()


@pytest.mark.parametrize("command", scaling.COMMANDS, ids=lambda command: command.name)
def test_both_do_the_work(small, command):
    one, two = (scaling.work(command, 2, way).result for way in ("one", "two"))
    assert len(one) == 2
    assert command.equal(one, two)
    assert not command.equal(one, scaling.work(command, 1, "apart").result)
