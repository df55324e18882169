"""Drawn scenes of simple shapes: the world that nano knows, and how well a model knows it."""

from .drawing import draw
from .evaluation import evaluate_scenes, print_scores
from .scoring import answer_is_right, score_description
from .wording import ask, caption, describe
from .world import Scene, SceneObject, sample_scenes


__all__ = [
    "Scene",
    "SceneObject",
    "answer_is_right",
    "ask",
    "caption",
    "describe",
    "draw",
    "evaluate_scenes",
    "print_scores",
    "sample_scenes",
    "score_description",
]
