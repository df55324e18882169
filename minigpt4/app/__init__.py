"""A page to talk with a model in a browser."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .heading import about as about
    from .page import build_page as build_page
    from .server import serve as serve
else:
    __all__ = lazy(__name__)
