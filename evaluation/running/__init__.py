"""Running tasks of evaluation: answers, scores, results, and their comparison."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .results import Result as Result
    from .results import read_result as read_result
    from .results import read_results as read_results
    from .run import run_task as run_task
else:
    __all__ = lazy(__name__)
