"""An OpenAI-style endpoint on the loopback device, which can misbehave."""

import json
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread


class LoopbackEndpoint:
    """
    Replies with what `replier` makes of the last message; before that, one request each, with what stands in `faults`.

    Args:
        replier: From the text of the last message to the reply.

    Attributes:
        faults: "429", "500", "401", "404", "empty", "malformed" (half a JSON), "no completion", "half" (the connection ends
            within the reply), "slow" (no reply until the server closes), "cut" (`finish_reason` is `length`), "echo" (401, with the
            key in the message).
        requests: Bodies of all requests, and `keys`: their Authorization headers.
        most: How many requests were under way at once.
    """

    def __init__(self, replier: Callable[[str], str] = str.upper) -> None:
        self.replier = replier
        self.faults: deque[str] = deque()
        self.requests: list[dict] = []
        self.keys: list[str | None] = []
        self.lock = Lock()
        self.under_way = self.most = 0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                endpoint.handle(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.lock:
            self.requests.append(body)
            self.keys.append(handler.headers.get("Authorization"))
            fault = self.faults.popleft() if self.faults else ""
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            self._reply(handler, body, fault)
        finally:
            with self.lock:
                self.under_way -= 1

    def _reply(self, handler: BaseHTTPRequestHandler, body: dict, fault: str) -> None:
        if fault.isdigit() or fault == "echo":
            message = f"Incorrect key: {handler.headers['Authorization']}" if fault == "echo" else f"fault {fault}"
            fault = "401" if fault == "echo" else fault
            error = {"error": {"message": message, "type": "fault", "code": None}}
            return self._send(handler, int(fault), json.dumps(error), {"retry-after-ms": "1"})
        if fault == "slow":
            handler.connection.settimeout(30)
            handler.connection.recv(1)  # until the client gives up
            handler.close_connection = True
            return None
        content = "" if fault == "empty" else self.replier(body["messages"][-1]["content"])
        reply = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": f"{body['model']}-1106",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content},
                    "finish_reason": "length" if fault == "cut" else "stop",
                }
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
        }
        if fault == "no completion":
            reply = {"detail": "busy"}
        text = json.dumps(reply)
        if fault == "half":
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(text)))
            handler.end_headers()
            handler.wfile.write(text[: len(text) // 2].encode())
            handler.close_connection = True
            return None
        return self._send(handler, 200, text[: len(text) // 2] if fault == "malformed" else text, {})

    def _send(self, handler: BaseHTTPRequestHandler, status: int, text: str, headers: dict) -> None:
        handler.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(text.encode())),
            **headers,
        }.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text.encode())
