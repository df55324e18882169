"""`minigpt4 serve`: transformers' own server, knowing MiniGPT-4."""

from typing import Annotated

import typer


def serve(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(metavar="[FOLDER_OR_ID]", help="What to serve. Default: nano.", show_default=False)
    ] = None,
) -> None:
    """Answer over HTTP as OpenAI's API does, with pictures and streaming.

    All further options are those of transformers serve: --host, --port, --device, --dtype, --quantization and more.
    Whoever reaches the port can have it read pictures from addresses and from this machine: it listens on localhost
    unless --host says otherwise.
    """
    from transformers import AutoModelForMultimodalLM
    from transformers.cli.transformers import app
    from transformers.models.auto.modeling_auto import MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES
    from transformers.utils.import_utils import is_serve_available

    from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration, nano_path

    if not is_serve_available():
        raise ValueError("Serving needs more packages: pip install 'minigpt4[serving]'.")
    # The server looks up classes by these two, and takes no others.
    AutoModelForMultimodalLM.register(MiniGPT4Config, MiniGPT4ForConditionalGeneration, exist_ok=True)
    MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES["minigpt4"] = MiniGPT4ForConditionalGeneration.__name__
    app(["serve", model or str(nano_path()), *context.args], prog_name="minigpt4", standalone_mode=False)
