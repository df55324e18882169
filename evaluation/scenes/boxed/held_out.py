"""What a model is asked about held-out scenes with boxes."""

import random
from itertools import islice

from PIL import Image

from minigpt4.processing.tasks import TASKS

from .drawing import draw_boxed
from .wording import Request, request
from .world import BoxedScene, sample_boxed_scenes


def boxed_requests(scenes: int, seed: int) -> tuple[list[BoxedScene], list[Image.Image], dict[str, list[Request]]]:
    """Held-out scenes, their pictures, and of each of MiniGPT-v2's tasks a request about each scene."""
    rng = random.Random(f"evaluation {seed}")
    held_out = list(islice(sample_boxed_scenes(f"evaluation {seed}", held_out=True), scenes))
    pictures = [draw_boxed(scene, rng) for scene in held_out]
    return held_out, pictures, {task: [request(scene, task, rng) for scene in held_out] for task in TASKS}
