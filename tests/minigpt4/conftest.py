from dataclasses import dataclass

import pytest

from minigpt4.cli import run


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def command(capfd):
    """Run one command of the command line in this process: `command("describe", path)`.

    Captured at the file descriptors, so that nothing a library prints can hide.
    """

    def call(*arguments: object) -> Result:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Result(code, *capfd.readouterr())

    return call
