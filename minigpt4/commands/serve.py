"""`minigpt4 serve`: transformers' own server, knowing MiniGPT-4."""

import time
from typing import Annotated, Any

import typer

from minigpt4.commands.console import note
from minigpt4.commands.options import Dtype, Model, Precision, TrustRemoteCode, model_name
from minigpt4.inference.serving.listening import check_address
from minigpt4.inference.serving.memory import give_back_memory


def serve(
    context: typer.Context,
    model: Model = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. 0.0.0.0: everyone who can reach this machine.")
    ] = "localhost",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 for any free one.")
    ] = 8000,
    dtype: Dtype = Precision.AUTO,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Answer over HTTP as OpenAI's API does, with pictures and streaming.

    All further options are those of transformers serve: --device, --quantization and more.
    Anyone who can reach the port can make it read pictures from URLs and from this machine: it listens on localhost
    unless --host says otherwise.
    """
    from minigpt4.checkpoints.identity import identify
    from minigpt4.hub_cards.embedded import embedded

    check_address(host, port)
    give_back_memory()
    name = embedded(model or "nano")
    identify(name).require_whole("merge it with its model: minigpt4 push does")
    note(f"Loading {model_name(model)}")
    from transformers import AutoModelForMultimodalLM, AutoProcessor
    from transformers.cli.serving import server, utils
    from transformers.cli.transformers import app
    from transformers.models.auto.modeling_auto import MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES
    from transformers.utils.import_utils import is_serve_available

    from minigpt4 import MiniGPT4Config
    from minigpt4.checkpoints.remote_code import naming_refused_code
    from minigpt4.inference.serving.remembering import RememberingMiniGPT4

    if not is_serve_available():
        raise ValueError("Serving needs more packages: run pip install '.[serving]' in minigpt4's repository.")
    from minigpt4.inference.serving.batching import BatchingManager
    from minigpt4.inference.serving.door import guard
    from minigpt4.inference.serving.hosts import trusted_hosts

    with naming_refused_code(name):
        marks = AutoProcessor.from_pretrained(name, trust_remote_code=trust_remote_code).end_marks
    # The server looks up classes by these two, and takes no others.
    AutoModelForMultimodalLM.register(MiniGPT4Config, RememberingMiniGPT4, exist_ok=True)
    MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES["minigpt4"] = RememberingMiniGPT4.__name__
    # An answer ends before its end mark. The prompt, which it is also asked to parse, is not part of the answer.
    answer = {"content": {"close": marks, "content": "text"}}
    template = {"defaults": {"role": "assistant"}, "start_anchor_pattern": r"\Z", "fields": answer}
    utils._RESPONSE_TEMPLATE_FALLBACKS[("minigpt4",)] = template
    middleware = trusted_hosts(host)
    build = server.build_server

    def build_guarded(manager: Any, *handlers: Any, **others: Any) -> Any:
        """Private: the command that builds and runs the server has no hook in between."""
        built = build(manager, *handlers, **others)
        guard(built, name, *manager.load_model_and_processor(manager.process_model_name(name)))
        batching = BatchingManager()
        others["generation_state"].get_manager = lambda *_, **__: batching
        built.add_middleware(middleware.cls, **middleware.kwargs)
        # It would list what else is on this machine, which cannot be asked for, and fail where there is nothing.
        entry = {"id": name, "object": "model", "created": int(time.time()), "owned_by": ""}
        manager.get_gen_models = lambda: [entry]
        return built

    note(f"Requests name the model {name}")
    trust = ["--trust-remote-code"] if trust_remote_code else []
    server.build_server = build_guarded
    try:
        app(
            ["serve", name, "--host", host, "--port", str(port), "--dtype", dtype, *trust, *context.args],
            prog_name="minigpt4",
            standalone_mode=False,
        )
    finally:
        server.build_server = build
