"""`minigpt4 app`: a web page to chat with the model."""

from importlib.util import find_spec
from typing import Annotated

import typer

from minigpt4.commands.console import note, working
from minigpt4.commands.options import Model, TrustRemoteCode
from minigpt4.inference.serving.listening import check_address
from minigpt4.inference.serving.memory import give_back_memory


def app(
    model: Model = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. 0.0.0.0: everyone who can reach this machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Default: the first free port from 7860.")
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Serve a web page to chat about pictures; with MiniGPT-v2, also to find and name objects in them."""
    if find_spec("gradio") is None:
        raise ValueError("the page needs gradio: run pip install '.[app]' in minigpt4's repository.")
    check_address(host, port or 0)
    give_back_memory()
    with working("Loading the model"):
        from minigpt4.app import about, build_page, serve
        from minigpt4.loading import load

        page = build_page(*load(model, trust_remote_code), about=about(model))
    address = serve(page, host, port)
    print(f"Open {address} in a browser. Ctrl-C ends the page.", flush=True)
    if host not in ("127.0.0.1", "localhost", "::1"):
        note("Everyone who can reach this machine can use the page.")
    try:
        page.block_thread()
    finally:
        page.close(verbose=False)
