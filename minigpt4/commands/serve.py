"""`minigpt4 serve`: transformers' own server, knowing MiniGPT-4."""

import typer

from minigpt4.commands.console import note
from minigpt4.commands.options import Model


def serve(context: typer.Context, model: Model = None) -> None:
    """Answer over HTTP as OpenAI's API does, with pictures and streaming.

    All further options are those of transformers serve: --host, --port, --device, --dtype, --quantization and more.
    Whoever reaches the port can have it read pictures from addresses and from this machine: it listens on localhost
    unless --host says otherwise.
    """
    from transformers import AutoModelForMultimodalLM, AutoProcessor
    from transformers.cli.serving import utils
    from transformers.cli.transformers import app
    from transformers.models.auto.modeling_auto import MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES
    from transformers.utils.import_utils import is_serve_available

    from minigpt4 import MiniGPT4Config, nano_path
    from minigpt4.loading import check_is_checkpoint
    from minigpt4.serving import RememberingMiniGPT4

    if not is_serve_available():
        raise ValueError("Serving needs more packages: pip install 'minigpt4[serving]'.")
    name = model or str(nano_path())
    check_is_checkpoint(name)
    stops = AutoProcessor.from_pretrained(name).stop_strings
    # The server looks up classes by these two, and takes no others.
    AutoModelForMultimodalLM.register(MiniGPT4Config, RememberingMiniGPT4, exist_ok=True)
    MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES["minigpt4"] = RememberingMiniGPT4.__name__
    # An answer ends before its end mark. The prompt, which it is also asked to read, is none of the answer.
    answer = {"content": {"close": stops, "content": "text"}}
    template = {"defaults": {"role": "assistant"}, "start_anchor_pattern": r"\Z", "fields": answer}
    utils._RESPONSE_TEMPLATE_FALLBACKS[("minigpt4",)] = template
    note(f"Requests name the model {name}")
    app(["serve", name, *context.args], prog_name="minigpt4", standalone_mode=False)
