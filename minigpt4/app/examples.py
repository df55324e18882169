"""Pictures to begin with: drawn scenes, which nano knows."""

import random
from itertools import islice

from gradio.processing_utils import save_pil_to_cache

from minigpt4.evaluation.scenes import draw, sample_scenes


QUESTIONS = (
    "Describe this image in detail.",
    "How many objects are there?",
    "Describe this image in detail.",
)


def example_messages(folder: str) -> list[dict]:
    """Messages with a picture each, for the empty chat. The pictures are written into the page's folder."""
    scenes = islice(sample_scenes(seed=0, held_out=True), len(QUESTIONS))
    messages = []
    for index, (scene, question) in enumerate(zip(scenes, QUESTIONS, strict=True)):
        picture = draw(scene, size=384, rng=random.Random(index))
        path = save_pil_to_cache(picture, folder, name="example", format="webp")
        messages.append({"text": question, "files": [path], "icon": path})
    return messages
