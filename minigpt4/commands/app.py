"""`minigpt4 app`: a web page to chat with the model."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from threading import Event
from typing import Annotated

import typer

from minigpt4.app.ports import port_for
from minigpt4.commands.console import note, say, working
from minigpt4.commands.options import Dtype, Model, Precision, TrustRemoteCode, model_name
from minigpt4.inference.serving.memory import give_back_memory


def app(
    model: Model = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. 0.0.0.0: everyone who can reach this machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Default: the first free port from 7860.")
    ] = None,
    dtype: Dtype = Precision.AUTO,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Serve a web page to chat about pictures; with MiniGPT-v2, also to find and name objects in them."""
    if find_spec("gradio") is None:
        raise ValueError("the page needs gradio: run pip install '.[app]' in minigpt4's repository.")
    port = port_for(host, port)
    give_back_memory()
    loading = f"Loading {model_name(model)}"
    if not sys.stderr.isatty():  # where nothing turns, as in a log
        note(loading)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as `docker stop` and systemd end it
    with _own_temporary_folder():
        with working(loading):
            from minigpt4.app import about, build_page, serve
            from minigpt4.loading import load

            page = build_page(*load(model, trust_remote_code, dtype), about=about(model))
        address = serve(page, host, port)
        say(f"Open {address} in a browser. Ctrl-C ends the page.")
        if host not in ("127.0.0.1", "localhost", "::1"):
            note("Everyone who can reach this machine can use the page.")
        with suppress(KeyboardInterrupt):
            Event().wait()
    # At once: open browsers and answers in the making would hold up an orderly end for seconds.
    os._exit(0)


@contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """Whatever the page writes, such as the pictures of its chats, is gone when the command ends."""
    with TemporaryDirectory(prefix="minigpt4-page-", ignore_cleanup_errors=True) as folder:
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield
        finally:
            tempfile.tempdir = before
