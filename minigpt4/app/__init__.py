"""A page to talk with a model in a browser."""

from .page import build_page
from .server import serve


__all__ = ["build_page", "serve"]
