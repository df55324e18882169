"""A Space of the Hugging Face Hub: the page of `minigpt4 app`. The variable MODEL selects the checkpoint; the default is nano."""

import os

from minigpt4.app import about, build_page, serve
from minigpt4.loading import load


checkpoint = os.environ.get("MODEL") or None
page = build_page(*load(checkpoint), about=about(checkpoint))
serve(page, host="0.0.0.0", port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")))
page.block_thread()
