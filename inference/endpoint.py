"""Replies of other people's language models: an OpenAI-style endpoint, asked politely, each question once."""

import hashlib
import json
import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, Protocol


# Messages of a chat, as every OpenAI-style endpoint takes them.
Messages = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Reply:
    """
    What a language model made of one request.

    Args:
        text (`str`): the reply as it came; empty where there is none.
        model (`str`): name of the model that replied, as the endpoint says it.
        finished (`bool`, *optional*, defaults to `True`): whether the model ended the reply by itself.
        prompt_tokens, completion_tokens (`int`, *optional*, defaults to 0):
            As the endpoint counts them; 0 where it does not say.
        error (`str`, *optional*): why there is no reply; empty where there is one.
        cached (`bool`, *optional*, defaults to `False`):
            Whether it was asked before: then nothing was sent, and no tokens were spent.
    """

    text: str
    model: str
    finished: bool = True
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str = ""
    cached: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Usage:
    """What a [`LanguageModel`] has done so far: requests sent, of them without a reply, found in the cache, and tokens."""

    requests: int = 0
    failed: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def plus(self, reply: Reply) -> "Usage":
        if reply.cached:
            return replace(self, cached=self.cached + 1)
        return Usage(
            self.requests + 1,
            self.failed + bool(reply.error),
            self.cached,
            self.prompt_tokens + reply.prompt_tokens,
            self.completion_tokens + reply.completion_tokens,
        )


class LanguageModel(Protocol):
    """Anything that replies to chats: an [`Endpoint`], or a [`~minigpt4.inference.local_language_model.LocalLanguageModel`]."""

    name: str
    usage: Usage

    def replies(self, requests: Iterable[Messages]) -> Iterator[Reply]:
        """A reply to each request, in their order. One that fails has an `error`; it does not stop the others."""


class Endpoint:
    """
    A language model behind an OpenAI-style address. Nothing is sent to any other address.

    Time-outs, lost connections, rate limits (429) and errors of the server are retried with growing pauses, or with those that
    the server asks for, by the `openai` client; so are replies without content. What still fails is a [`Reply`] with an
    `error`. Replies are kept in `cache` by the content of the request: asking again sends nothing.

    Args:
        name (`str`): name of the model, as the endpoint knows it.
        url (`str`): address of the API, as `https://host/v1`.
        key_variable (`str`, *optional*): environment variable with the key. Default: no key is sent. It is never stored.
        concurrency (`int`, defaults to 8): requests under way at once.
        retries (`int`, defaults to 5): how often a request is repeated.
        timeout (`float`, defaults to 120): seconds for one reply.
        requests_per_minute (`float`, *optional*): requests started in a minute, at most. Default: no limit.
        cache (`str` or `Path`, *optional*): SQLite file of all replies. Several processes may share it.
        settings: of the request: `temperature`, `max_tokens`, `seed` and so on. Default: temperature 0.

    Raises:
        ImportError: the `openai` client is not installed.
        ValueError: an argument is out of range, or the environment variable is not set; from `replies`, also where the
            endpoint refuses the key, the model or the address, since it would refuse all requests.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        key_variable: str | None = None,
        concurrency: int = 8,
        retries: int = 5,
        timeout: float = 120.0,
        requests_per_minute: float | None = None,
        cache: str | Path | None = None,
        **settings: Any,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"the endpoint's address must begin with http:// or https:// (got {url!r})")
        if concurrency < 1 or retries < 0:
            raise ValueError(
                f"concurrency must be at least 1 and retries at least 0 (got {concurrency} and {retries})"
            )
        if requests_per_minute is not None and not requests_per_minute > 0:
            raise ValueError(f"requests_per_minute must be above 0 (got {requests_per_minute})")
        self.name, self.url = name, url.rstrip("/")
        self.concurrency, self.retries = concurrency, retries
        self.settings = {"temperature": 0, **settings}
        self.usage = Usage()
        self._key = _key(key_variable)
        self._client = _client(self.url, self._key, retries, timeout)
        self._pace = _Pace(requests_per_minute)
        self._cache = _Cache(cache)

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r}, {self.url!r})"

    def replies(self, requests: Iterable[Messages]) -> Iterator[Reply]:
        """A reply to each request, in their order; at most a few more requests are read than are under way."""
        waiting: deque[Future[Reply]] = deque()
        # Not by `with`: who stops reading does not wait for replies to requests that nobody will read.
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="endpoint")
        try:
            for messages in requests:
                waiting.append(pool.submit(self._reply, messages))
                if len(waiting) >= 2 * self.concurrency:
                    yield self._counted(waiting.popleft().result())
            while waiting:
                yield self._counted(waiting.popleft().result())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _counted(self, reply: Reply) -> Reply:
        self.usage = self.usage.plus(reply)
        return reply

    def _reply(self, messages: Messages) -> Reply:
        request = {"model": self.name, "messages": list(messages), **self.settings}
        if (known := self._cache.get(self.url, request)) is not None:
            return known
        for _ in range(self.retries + 1):
            reply = self._ask(request)
            if reply.text or reply.error:
                break
        else:
            reply = replace(reply, error=f"no content in {self.retries + 1} replies")
        if not reply.error:
            self._cache.put(self.url, request, reply)
        return reply

    def _ask(self, request: dict) -> Reply:
        """One reply; without text and error where the endpoint sent something else than a reply."""
        import openai

        self._pace.wait()
        try:
            made: Any = self._client.chat.completions.create(**request)
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise ValueError(f"{self.url} refuses requests for {self.name!r}: {self._reason(error)}") from None
        except openai.OpenAIError as error:
            return Reply("", self.name, finished=False, error=self._reason(error))
        except ValueError:  # half a JSON
            return Reply("", self.name, finished=False)
        try:
            choice, usage = made.choices[0], made.usage
            text = choice.message.content or ""
            finished = choice.finish_reason == "stop"
        except (AttributeError, IndexError, TypeError):  # the client passes on what is no completion
            return Reply("", self.name, finished=False)
        return Reply(
            text if isinstance(text, str) else "",
            made.model or self.name,
            finished,
            getattr(usage, "prompt_tokens", 0) or 0,
            getattr(usage, "completion_tokens", 0) or 0,
        )

    def _reason(self, error: Exception) -> str:
        """What went wrong, without the key: servers repeat it in their errors."""
        return " ".join(str(error).split()).replace(self._key, "…")[:300] or type(error).__name__


def _client(url: str, key: str, retries: int, timeout: float) -> Any:
    try:
        import openai
    except ImportError as error:
        raise ImportError("asking an endpoint needs the openai client: run pip install openai") from error
    return openai.OpenAI(base_url=url, api_key=key, max_retries=retries, timeout=timeout)


def _key(variable: str | None) -> str:
    if variable is None:
        return "none"  # the client wants one; servers without keys ignore it
    if not (key := os.environ.get(variable)):
        raise ValueError(f"the environment variable {variable} is not set: put the endpoint's key into it")
    return key


class _Pace:
    """Lets requests begin at even distances."""

    def __init__(self, per_minute: float | None) -> None:
        self.distance = 60 / per_minute if per_minute else 0.0
        self.next = 0.0
        self.lock = Lock()

    def wait(self) -> None:
        with self.lock:
            now = time.monotonic()
            start = max(now, self.next)
            self.next = start + self.distance
        time.sleep(start - now)


class _Cache:
    """Replies by the content of their requests. SQLite: a killed process leaves it whole, and several may write."""

    def __init__(self, file: str | Path | None) -> None:
        self.file = file
        if file is not None:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as connection, connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS replies (request TEXT PRIMARY KEY, reply TEXT NOT NULL)"
                )

    def _open(self) -> sqlite3.Connection:
        assert self.file is not None
        return sqlite3.connect(self.file, timeout=60)

    def get(self, url: str, request: dict) -> Reply | None:
        if self.file is None:
            return None
        with closing(self._open()) as connection:
            row = connection.execute(
                "SELECT reply FROM replies WHERE request = ?", (_digest(url, request),)
            ).fetchone()
        return None if row is None else replace(Reply(**json.loads(row[0])), cached=True)

    def put(self, url: str, request: dict, reply: Reply) -> None:
        if self.file is None:
            return
        with closing(self._open()) as connection, connection:
            row = (_digest(url, request), json.dumps(asdict(reply), ensure_ascii=False))
            connection.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", row)


def _digest(url: str, request: dict) -> str:
    return hashlib.sha256(json.dumps([url, request], sort_keys=True).encode()).hexdigest()
