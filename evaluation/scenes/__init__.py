"""Drawn scenes of simple shapes: the world that nano knows, and how well a model knows it."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .drawing import draw as draw
    from .evaluation import evaluate_scenes as evaluate_scenes
    from .evaluation import print_scores as print_scores
    from .scoring import answer_is_right as answer_is_right
    from .scoring import score_description as score_description
    from .wording import ask as ask
    from .wording import caption as caption
    from .wording import describe as describe
    from .world import Scene as Scene
    from .world import SceneObject as SceneObject
    from .world import sample_scenes as sample_scenes
else:
    __all__ = lazy(__name__)
