"""Programs in new processes, in which the libraries are imported and nothing of ours is.

Importing torch, transformers and TRL takes several times as long as what most of these programs then do. So this file is
also a program itself: it imports them once, and forks a process for each line that it reads.
"""

import json
import os
import shutil
import subprocess
import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.forking import fork

from . import ROOT


LIBRARIES = [
    "torch",
    "datasets",
    "peft.tuners.lora",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.processing_auto",
    "transformers.models.blip_2.modeling_blip_2",
    "transformers.models.llama.modeling_llama",
    "transformers.pipelines",
    "transformers.trainer",
    "trl.trainer.sft_trainer",
]


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """`fresh(program, *arguments)` runs Python code, or a file, and gives a `CompletedProcess`.

    Each has an empty Hugging Face home, as on a machine that holds nothing of ours.
    """
    folder = tmp_path_factory.mktemp("fresh")
    home, output, errors, given = (folder / name for name in ("home", "output", "errors", "input"))
    environment = os.environ | {"HF_HOME": str(home), "HF_MODULES_CACHE": str(home / "modules")}
    server = None

    def run(
        program: str | Path, *arguments: object, cwd: Path = folder, input: str = ""
    ) -> subprocess.CompletedProcess:
        nonlocal server
        if server is None:
            pipe = subprocess.PIPE
            command = [sys.executable, "-m", "tests.helpers.fresh"]
            server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment, cwd=ROOT)
        shutil.rmtree(home, ignore_errors=True)
        given.write_text(input)
        files = [str(file) for file in (given, output, errors)]
        order = {"file": str(program) if isinstance(program, Path) else None, "arguments": [*map(str, arguments)]}
        order |= {"code": Path(program).read_text() if order["file"] else program, "cwd": str(cwd), "files": files}
        print(json.dumps(order), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, output.read_text(), errors.read_text())

    yield run
    if server is not None:
        server.communicate()  # ends with its input


@pytest.fixture
def stranger(fresh, tmp_path):
    """Runs a program as a person who has not installed minigpt4, and whose machine holds nothing of ours; gives its output."""

    def run(program: str, *arguments: object, cwd: Path = tmp_path, input: str = "") -> str:
        not_installed = "import sys; sys.modules['minigpt4'] = None"
        done = fresh(f"{not_installed}\n{program}", *arguments, cwd=cwd, input=input)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # for what the libraries print
    for name in LIBRARIES:
        import_module(name)
    for line in sys.stdin:
        pid = fork()
        if pid == 0:
            obey(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=answers, flush=True)


def obey(code: str, file: str | None, arguments: list[str], cwd: str, files: list[str]) -> None:
    """What `python FILE` does, or `python -c CODE`."""
    for number, name in enumerate(files):
        os.dup2(os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(cwd)
    sys.stdin, sys.argv = os.fdopen(0), [file or "-c", *arguments]
    sys.path[0] = str(Path(file).parent) if file else ""
    sys.modules["__main__"] = program = ModuleType("__main__")
    status = 0
    try:
        exec(compile(code, file or "<string>", "exec"), vars(program))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
