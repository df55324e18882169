"""Twelve abilities that no metric knows (MiniGPT-4, figures 1 to 13 and section 4.2): people judge the answers."""

from collections.abc import Iterator
from pathlib import Path

from .files import existing
from .task import Published, Sample, Task


# The request for each ability, which is also the name of its folder of pictures. Those of `humour`, `cooking`, `advertisement`
# and `poem` are the paper's for its table; the others ask for what its figures show.
REQUESTS = {
    "description": "Describe this image in detail.",
    "humour": "Explain why this meme is funny.",
    "unusual": "What is unusual about this image?",
    "website": "Write the HTML and JavaScript of a website that looks like this sketch.",
    "problems": "What is the problem in this image, and how can it be solved?",
    "poem": "Can you craft a beautiful poem about this image?",
    "story": "Write a story about this image.",
    "advertisement": "Help me draft a professional advertisement for this.",
    "people": "Who are the people in this image, and what are they doing?",
    "comments": "Write an insightful comment about this image.",
    "facts": "What do you know about what is shown in this image?",
    "cooking": "How should I make something like this?",
}


def read(root: Path) -> Iterator[Sample]:
    """The pictures of a folder for each ability, by name; abilities without a folder are left out."""
    from minigpt4.processing.image_formats import extensions

    folder = existing(root, "advanced")
    known = extensions()
    strange = sorted({one.name for one in folder.iterdir() if one.is_dir()} - REQUESTS.keys())
    if strange:
        raise ValueError(f"{folder / strange[0]} is not one of the abilities: {', '.join(REQUESTS)}.")
    for ability, request in REQUESTS.items():
        for file in sorted((folder / ability).glob("*")):
            if file.suffix.lower() in known:
                yield Sample(f"{ability}/{file.name}", str(file), request, request, kind=ability)


TASKS = (
    Task(
        name="advanced",
        title="Advanced abilities: requests met",
        read=read,
        prompt="{}",
        generation={"max_new_tokens": 500},
        metric="people",
        figure="met",
        by_people=True,
        published=(
            Published("MiniGPT-4, four abilities", 65.0, figure="met_of_published", scale=100.0),
            Published("BLIP-2, four abilities", 5.0, figure="met_of_published", scale=100.0),
        ),
        note="published on 100 pictures that were not published: 25 each of humour, cooking, advertisement and poem.",
    ),
)
