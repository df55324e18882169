"""Where the page listens."""

import socket

import gradio as gr

from minigpt4.app import serve, server
from minigpt4.app.ports import port_for


def test_a_port_that_somebody_takes_meanwhile(monkeypatch):
    with gr.Blocks() as page, socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        found = iter([taken])
        monkeypatch.setattr(server, "port_for", lambda host, port=None: next(found, None) or port_for(host, port))
        address = serve(page)
        assert not address.endswith(f":{taken}/")
        page.close(verbose=False)
