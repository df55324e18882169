"""Drawn scenes with boxes: the world of nano-v2, in the words of MiniGPT-v2's tasks."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .drawing import draw_boxed as draw_boxed
    from .evaluation import evaluate_tasks as evaluate_tasks
    from .forms import form_of as form_of
    from .scoring import TaskScore as TaskScore
    from .scoring import score_answer as score_answer
    from .scoring import summarise_tasks as summarise_tasks
    from .wording import Request as Request
    from .wording import request as request
    from .world import BoxedObject as BoxedObject
    from .world import BoxedScene as BoxedScene
    from .world import sample_boxed_scenes as sample_boxed_scenes
else:
    __all__ = lazy(__name__)
