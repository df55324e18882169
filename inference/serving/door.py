"""In front of the server: requests are checked, and their pictures fetched and shrunk, before the server sees them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from fastapi.responses import JSONResponse
from jinja2 import TemplateError
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from transformers.utils.chat_template_utils import _get_template_variables

from minigpt4.inference.answering import check_length, context_limit
from minigpt4.inference.reading import prompt_ids
from minigpt4.inference.serving.batching import MOST_REQUESTS, MOST_WAITING
from minigpt4.inference.serving.client import GONE
from minigpt4.inference.serving.pictures import READER, read_picture
from minigpt4.inference.serving.requests import (
    KINDS,
    MOST_CHARACTERS,
    Completion,
    Limits,
    Load,
    Request,
    chat_of,
    read_request,
    written,
)
from minigpt4.processing.fetching import fetch
from minigpt4.processing.image_addresses import image_address
from minigpt4.processing.image_loading import shrunk


if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
    from minigpt4.processing import MiniGPT4Processor

MEGABYTE = 1_000_000
MOST_BODY_MEGABYTES = 32
MOST_PICTURE_MEGABYTES = 20  # from an address
MOST_HELD_MEGABYTES = 256  # of all bodies together
SECONDS = 20  # for a request to come whole, and its pictures with it
FETCHED_AT_ONCE = 32  # pictures
READ_AT_ONCE = 4  # requests

LOAD = "/load_model"
# All that the server has for one model; the rest loads others, unloads it, or reads other things than pictures.
PATHS = {*KINDS, LOAD, "/v1/models", "/health"}


class Refused(Exception):
    """The request is answered with this status and a one-line error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Door:
    """
    ASGI middleware around the server of one model.

    Args:
        app (`ASGIApp`): the server.
        name (`str`): name of the model in requests.
        model (`MiniGPT4ForConditionalGeneration`), processor (`MiniGPT4Processor`):
            The model that answers, and its processor.
    """

    def __init__(
        self, app: "ASGIApp", name: str, model: "MiniGPT4ForConditionalGeneration", processor: "MiniGPT4Processor"
    ) -> None:
        self._app = app
        self._name = name
        self._processor = processor
        self._limits = Limits(context_limit(model), model.config.get_text_config().vocab_size)
        self._held = 0  # bytes of bodies
        self._requests = 0  # that wait or are answered
        self._fetching = CapacityLimiter(FETCHED_AT_ONCE)
        self._reading = CapacityLimiter(READ_AT_ONCE)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._checked(scope, receive)
            if body is not None and self._requests >= MOST_REQUESTS:
                raise Refused(503, f"{MOST_WAITING} requests wait for the model already: try again later")
        except Refused as refusal:
            await refused(refusal.status, str(refusal))(scope, receive, send)
            return
        if body is None:
            await self._app(scope, receive, send)
            return
        self._requests += 1
        try:
            await self._answer(scope, body, receive, send)
        finally:
            self._requests -= 1

    async def _answer(self, scope: "Scope", body: bytes, receive: "Receive", send: "Send") -> None:
        """Have the server answer, as long as the client waits for it."""
        waiting, gone, hung_up = [body], Event(), asyncio.Event()

        async def receive_again() -> "Message":
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            await hung_up.wait()
            return {"type": "http.disconnect"}

        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            hung_up.set()

        GONE.set(gone)
        listening = asyncio.create_task(listen())
        try:
            await self._app(scope, receive_again, send)
        finally:
            listening.cancel()

    async def _checked(self, scope: "Scope", receive: "Receive") -> bytes | None:
        """
        What the server receives in place of the body; `None` where it has none.

        Raises:
            Refused: the request is invalid.
        """
        path = scope["path"]
        if path not in PATHS:
            raise Refused(404, f"{path} is not served: use one of {', '.join(sorted(PATHS))}")
        if scope["method"] != "POST":
            return None
        if Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            # Any page on the web may have a browser send other types here.
            raise Refused(415, "the Content-Type must be application/json")
        deadline = asyncio.get_running_loop().time() + SECONDS
        try:
            async with self._body(receive, deadline) as body:
                return await self._prepared(path, body, deadline)
        except TimeoutError as error:
            raise Refused(400, f"the request and its pictures were not complete after {SECONDS} seconds") from error
        except (ValueError, OSError, TemplateError) as error:
            raise Refused(400, str(error)) from error

    @asynccontextmanager
    async def _body(self, receive: "Receive", deadline: float) -> AsyncIterator[bytearray]:
        """What a client sends, while it is prepared."""
        body, more = bytearray(), True
        try:
            async with asyncio.timeout_at(deadline):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "the request ended before its body was complete")
                    piece = message.get("body", b"")
                    body += piece
                    self._held += len(piece)
                    if len(body) > MOST_BODY_MEGABYTES * MEGABYTE:
                        raise Refused(413, f"the request is larger than {MOST_BODY_MEGABYTES} MB, the maximum")
                    if self._held > MOST_HELD_MEGABYTES * MEGABYTE:
                        raise Refused(503, "too many large requests are being read: try again later")
                    more = message.get("more_body", False)
            yield body
        finally:
            self._held -= len(body)

    async def _prepared(self, path: str, body: bytearray, deadline: float) -> bytes:
        if path == LOAD:
            self._check_name(read_request(Load, body, self._limits).model)
            return bytes(body)
        loop = asyncio.get_running_loop()
        request = await to_thread.run_sync(self._read, KINDS[path], body, limiter=self._reading)
        for picture in request.pictures:
            source: str | bytes = picture.address
            if isinstance(source, str) and source.startswith(("http://", "https://")):
                source = await self._fetched(source, deadline)
            picture.address = await loop.run_in_executor(READER, self._small, source)
        return written(request)

    async def _fetched(self, address: str, deadline: float) -> bytes:
        async with asyncio.timeout_at(deadline):
            await self._fetching.acquire()
        try:
            left = deadline - asyncio.get_running_loop().time()
            return await fetch(address, left, MOST_PICTURE_MEGABYTES * MEGABYTE)
        finally:
            self._fetching.release()

    def _read(self, kind: type[Request], body: bytearray) -> Request:
        """
        The request, if the model can read it. Pictures count towards its length without being opened.

        Raises:
            ValueError, TemplateError: it cannot.
        """
        request = read_request(kind, body, self._limits)
        self._check_name(self._name if request.model is None else request.model)
        check_length(len(self._ids(request)), self._limits.positions)
        return request

    def _check_name(self, name: str) -> None:
        if name != self._name:
            raise ValueError(f"the only model of this server is {self._name!r} (got {name!r})")

    def _ids(self, request: Request) -> list[int]:
        processor = self._processor
        if isinstance(request, Completion):
            _check_size(len(request.prompt))
            if processor.image_token in request.prompt:
                raise ValueError(
                    f"{processor.image_token} is reserved for pictures: send them to /v1/chat/completions"
                )
            return processor.tokenizer(request.prompt)["input_ids"]
        extra = request.chat_template_kwargs or {}
        # Other keys would reach the image processor, where a size of 100,000 takes all memory.
        # Private, and asked by transformers for the same purpose.
        known = _get_template_variables(processor.chat_template) - {"messages", "tools", "add_generation_prompt"}
        if unknown := extra.keys() - known:
            raise ValueError(f"chat_template_kwargs: the chat template has no variable {min(unknown)!r}")
        messages = chat_of(request)
        parts = [part for message in messages for part in message["content"]]
        _check_size(sum(len(part.get("text", "")) for part in parts))
        return prompt_ids(processor, messages, sum(part["type"] == "image" for part in parts), **extra)

    def _small(self, source: str | bytes) -> str:
        """The address of the picture in the size that the model reads."""
        return image_address(shrunk(read_picture(source), self._processor.image_processor), "png", compress_level=1)


def guard(app: Any, name: str, model: Any, processor: Any) -> None:
    """
    Put the door in front of a FastAPI server, and have it explain what is wrong with a request.

    Args:
        app (`FastAPI`): as `transformers serve` builds it.
        name, model, processor: as for [`Door`].
    """
    # Innermost: refusals have the same headers as all other answers.
    app.user_middleware.append(Middleware(Door, name=name, model=model, processor=processor))
    for kind in (ValueError, TemplateError):
        app.add_exception_handler(kind, lambda _, error: refused(400, str(error)))


def refused(status: int, message: str) -> JSONResponse:
    """An error in the form of OpenAI's API."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": " ".join(message.split()), "type": kind, "param": None, "code": None}
    return JSONResponse({"error": error}, status)


def _check_size(characters: int) -> None:
    if characters > MOST_CHARACTERS:
        raise ValueError(f"the text has {characters} characters, the maximum is {MOST_CHARACTERS}: make it shorter")
