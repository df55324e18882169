"""Serving the page: on localhost by default, and nothing but the page."""

import os
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.middleware import Middleware

from minigpt4.app.actions import CHATS
from minigpt4.app.assets import ICON, head, style
from minigpt4.app.ports import port_for
from minigpt4.app.uploads import MAX_FILE_MEGABYTES
from minigpt4.inference.serving.hosts import trusted_hosts


if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "base-uri 'self'; form-action 'self'; object-src 'none'"
)

# Where the theme's own colours have a contrast under 4.5.
_READABLE = {
    "block_title_text_color": "*primary_800",
    "checkbox_label_background_fill_selected": "*primary_600",
    "checkbox_background_color_selected": "*primary_700",
}


class OnlyThisServer:
    """Tells browsers to load nothing from anywhere else."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", _POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self._app(scope, receive, send_with_policy if scope["type"] == "http" else send)


def serve(page: gr.Blocks, host: str = "127.0.0.1", port: int | None = None) -> str:
    """
    Start serving the page. `page.block_thread()` waits, `page.close()` ends it.

    Args:
        page (`gradio.Blocks`): from [`build_page`].
        host (`str`, *optional*, defaults to `"127.0.0.1"`): the address to listen on; `0.0.0.0` for everyone who can reach
            this machine.
        port (`int`, *optional*): default: the first free one from 7860 on.

    Returns:
        `str`: the address of the page.

    Raises:
        OSError: the port is in use, or the host is not an address of this machine.
    """
    free = port_for(host, port)  # Gradio would spend five seconds trying each of its own
    # After each event Gradio tabulates its record of up to 10,000, which nobody sees without monitoring.
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    try:
        _, address, _ = page.queue(default_concurrency_limit=1).launch(
            server_name=host,
            server_port=free,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            show_error=False,
            footer_links=[],
            max_file_size=f"{MAX_FILE_MEGABYTES}mb",
            state_session_capacity=CHATS,
            max_threads=2 * CHATS,  # each page that waits for an answer or shows one takes a thread
            app_kwargs={
                "middleware": [Middleware(OnlyThisServer), trusted_hosts(host)],
                "docs_url": None,
                "redoc_url": None,
                "openapi_url": None,
            },
            # System fonts: others would be loaded from other servers.
            theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]).set(
                **_READABLE
            ),
            css=style(),
            head=head(),
            favicon_path=ICON,
            ssr_mode=False,
            enable_monitoring=False,
            pwa=False,
            mcp_server=False,
        )
    except OSError as error:
        if port is None and port_for(host) != free:  # somebody else has taken it since
            return serve(page, host)
        raise OSError(f"cannot listen on {host}, port {free}: {error}") from error
    return address
