"""Fetching pictures from the web, within limits of time and size."""

import asyncio
import ipaddress
from concurrent.futures import Future
from functools import cache
from threading import Thread


try:  # the client that huggingface_hub brings: from its version 2 on, it is httpx2
    import httpx2 as httpx
except ImportError:
    import httpx  # type: ignore[no-redef]


MAX_REDIRECTS = 5


async def fetch(address: str, timeout: float, max_bytes: int) -> bytes:
    """
    Fetch the content of an address.

    Args:
        address (`str`): `http://…` or `https://…`.
        timeout (`float`): Seconds for all of it: the connection, redirects, and the last byte.
        max_bytes (`int`): The largest content that is read.

    Returns:
        `bytes`: the content as the site sends it.

    Raises:
        ValueError: the server answers with an error; or it cannot be fetched, takes longer, is larger, or is redirected from a public into a private network.
    """
    name = address if len(address) <= 200 else f"{address[:100]}…"
    try:
        async with (
            asyncio.timeout(timeout),
            httpx.AsyncClient(
                timeout=None,  # per step; the total is limited above
                verify=_certificates(),
                follow_redirects=True,
                max_redirects=MAX_REDIRECTS,
                event_hooks={"request": [_Doorkeeper()]},
                # Compressed content could unpack to a thousand times the limit.
                headers={"Accept-Encoding": "identity"},
            ) as client,
            client.stream("GET", address) as response,
        ):
            if response.is_error:  # what comes with it is a page that says so
                raise ValueError(f"the server answered {response.status_code} {response.reason_phrase}".rstrip())
            content = bytearray()
            async for piece in response.aiter_raw():
                content += piece
                if len(content) > max_bytes:
                    raise ValueError(f"it is larger than the limit of {max_bytes / 1e6:g} MB")
            return bytes(content)
    except TimeoutError as error:
        raise ValueError(
            f"Could not read an image from {name}: it did not arrive within {round(timeout, 1):g} seconds."
        ) from error
    except Exception as error:  # whatever the network does
        raise ValueError(f"Could not read an image from {name}: {str(error) or type(error).__name__}") from error


def fetch_now(address: str, timeout: float, max_bytes: int) -> bytes:
    """`fetch` for callers that cannot await. It uses its own thread, since a notebook already runs an event loop."""
    result: Future[bytes] = Future()

    def work() -> None:
        try:
            result.set_result(asyncio.run(fetch(address, timeout, max_bytes)))
        except BaseException as error:
            result.set_exception(error)

    Thread(target=work, daemon=True).start()  # Ctrl-C does not wait for it
    return result.result()


class _Doorkeeper:
    """Keeps public sites from redirecting to this machine or its private network, which they could not reach themselves."""

    def __init__(self) -> None:
        self._began_inside: bool | None = None

    async def __call__(self, request: httpx.Request) -> None:
        host = request.url.host
        inside = await _is_inside(host)
        if self._began_inside is None:
            self._began_inside = inside
        elif inside and not self._began_inside:
            raise ValueError(f"it is redirected to {host}, which is in a private network")


async def _is_inside(host: str) -> bool:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError:  # known only to the proxy, or not at all
        return False
    return not all(ipaddress.ip_address(address).is_global for *_, (address, *_) in found)


@cache
def _certificates():
    return httpx.create_ssl_context()  # takes as long as reading a picture
