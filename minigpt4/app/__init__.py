"""A page to talk with a model in a browser."""

from .page import about, build_page
from .server import serve


__all__ = ["about", "build_page", "serve"]
