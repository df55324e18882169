"""What is asked in evaluation: the rows of both papers' tables, one small file for each."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .index import all_tasks as all_tasks
    from .index import find_tasks as find_tasks
    from .task import Published as Published
    from .task import Sample as Sample
    from .task import Task as Task
else:
    __all__ = lazy(__name__)
