"""The results of evaluation as a page: tables, charts, and pictures of what was right and what was wrong."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .page import write_report as write_report
else:
    __all__ = lazy(__name__)
