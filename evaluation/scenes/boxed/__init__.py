"""Drawn scenes with boxes: the world of nano-v2, in the words of MiniGPT-v2's tasks."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .drawing import draw_boxed as draw_boxed
    from .wording import Request as Request
    from .wording import request as request
    from .world import BoxedObject as BoxedObject
    from .world import BoxedScene as BoxedScene
    from .world import sample_boxed_scenes as sample_boxed_scenes
else:
    __all__ = lazy(__name__)
