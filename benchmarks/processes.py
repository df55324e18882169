"""Servers in processes of their own."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
from accelerate.utils.other import get_free_port


PATIENCE = 300  # seconds until a server answers


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[tuple[psutil.Process, str]]:
    """Start `python ARGUMENTS --port …`; yields its process and, once it answers, its address."""
    port = get_free_port()
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        # Uploads are deleted with the folder.
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "NO_PROXY": "*", "TMPDIR": folder}
        log, start = Path(folder, "log"), time.monotonic()
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, *arguments, "--port", str(port)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            while process.poll() is None and time.monotonic() - start < PATIENCE:
                with contextlib.suppress(httpx.TransportError):
                    httpx.get(address, trust_env=False)
                    break
                time.sleep(0.2)
            else:
                raise SystemExit(f"{' '.join(arguments)} does not answer:\n{log.read_text()}")
            yield psutil.Process(process.pid), address
        finally:
            process.terminate()
            process.wait()
