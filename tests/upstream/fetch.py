"""Fetch transformers' own model tests: the `tests/` folder of the source distribution of the version installed here.

The wheel leaves them out, and they are not ours to keep, so they are downloaded once, by pip from whatever index pip
is set up for, into `.cache/<version>/tests` beside this file. Run as a script before the tests; does nothing when the
folder is there.
"""

import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path


CACHE = Path(__file__).parent / ".cache"
# The version in constraints.txt is pinned by content. For another one, pip checks the hash that its index states.
SHA256 = {"5.23.0": "19d647a4d5d903a7c644ca5cde2d86efc3dde7d8c687ae7988806ff2205efa71"}


class FetchError(RuntimeError):
    """The source distribution could not be had; the message is one line with what to do."""


def sdist() -> Path:
    """The folder of the installed version's source distribution; it exists when it has been fetched."""
    return CACHE / version("transformers")


def fetch() -> Path:
    """Download and unpack what is missing. Returns `sdist()`; raises `FetchError` when pip cannot get it."""
    target = sdist()
    if target.is_dir():
        return target
    CACHE.mkdir(exist_ok=True)
    # Everything happens in a folder of its own, and one rename makes it visible: a killed run leaves nothing behind
    # that looks finished.
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetching-") as scratch:
        archive = _download(target.name, Path(scratch))
        unpacked = Path(scratch) / "unpacked"
        with tarfile.open(archive) as tar:
            root = f"transformers-{target.name}/tests/"
            members = [member for member in tar if member.name.startswith(root)]
            if not members:
                raise FetchError(f"{archive.name} has no tests/ folder: this version cannot be tested this way.")
            tar.extractall(unpacked, members=members, filter="data")
        try:
            (unpacked / f"transformers-{target.name}").rename(target)
        except OSError:
            if not target.is_dir():  # else another run was faster
                raise
    return target


def _download(release: str, folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    sha256 = SHA256.get(release)
    requirements.write_text(f"transformers=={release}" + (f" --hash=sha256:{sha256}" if sha256 else ""))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary=transformers", "--requirement", str(requirements), "--dest", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True)
    archives = list(folder.glob("transformers-*.tar.gz"))
    if result.returncode != 0 or len(archives) != 1:
        reasons = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or ["ERROR: no archive"]
        raise FetchError(
            f"transformers' own tests cannot be fetched: {reasons[-1].removeprefix('ERROR: ').rstrip('.')}. "
            f"Check that pip reaches its index, then run `python {Path(__file__).name}` in {Path(__file__).parent}."
        )
    return archives[0]


def main() -> int:
    if not sdist().is_dir():
        print(f"Fetching the tests of transformers {version('transformers')} …", flush=True)
    try:
        fetch()
    except FetchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
