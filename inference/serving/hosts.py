"""By which names a server may be called: where it listens on this machine only, by those of this machine only."""

from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from minigpt4.inference.serving.listening import listens_on_loopback


# As browsers write them.
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def trusted_hosts(host: str) -> Middleware:
    """Refuses requests that call a server on loopback by another name.

    A page on the web can have its own name lead to this machine, and then reads there what the browser takes for its own
    (DNS rebinding). A server for other machines is called by names that it cannot know.

    Args:
        host: What the server listens on.

    Raises:
        OSError: There is no such host.
    """
    names: Any = [*_LOOPBACK, f"[{host}]" if ":" in host else host] if listens_on_loopback(host) else ["*"]
    return Middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)
