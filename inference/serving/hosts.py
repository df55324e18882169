"""The host names that a server answers to: one that listens on loopback only answers to names of this machine."""

from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from minigpt4.inference.serving.listening import listens_on_loopback


# As browsers write them.
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def trusted_hosts(host: str) -> Middleware:
    """
    Refuses requests to a server on loopback under another host name.

    A website can have its own name resolve to this machine, and then read what the browser takes for its own pages (DNS
    rebinding). A server for other machines cannot know its names.

    Args:
        host (`str`): what the server listens on.

    Raises:
        OSError: there is no such host.
    """
    names: Any = [*_LOOPBACK, f"[{host}]" if ":" in host else host] if listens_on_loopback(host) else ["*"]
    return Middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)
