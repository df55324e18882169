"""How much of COCO's captions a description covers, as a language model judges it (MiniGPT-4, section 4.2)."""

from collections.abc import Iterator
from pathlib import Path

from .coco import read_pictures
from .task import Published, Sample, Task


# In the paper.
REFERENCES = 5


def read(root: Path) -> Iterator[Sample]:
    """Pictures of COCO's validation with their first five captions, of `captions_val2014.json` or `captions_val2017.json`."""
    for picture in read_pictures(root, captions=True):
        yield Sample(picture.id, picture.file, target=picture.captions[:REFERENCES])


TASKS = (
    Task(
        name="coco-coverage",
        title="COCO captions covered, of 5 for each picture",
        read=read,
        prompt="Describe this image in detail.",
        plain="a photo of",
        generation={"max_new_tokens": 300},
        metric="caption_coverage",
        figure="covered_of_each",
        scale=1.0,
        judged=True,
        published=(
            Published("MiniGPT-4", 2.22, "later"),
            Published("MiniGPT-4, 10 % of stage 1", 1.62, "later"),
            Published("MiniGPT-4, 30 % of stage 1", 2.15, "later"),
            Published("MiniGPT-4, 50 % of stage 1", 2.26, "later"),
            Published("BLIP-2", 1.96, "later"),
            # One caption drawn for each picture: over all pictures the same as the share of all captions.
            Published("MiniGPT-4", 66.2, "first", "coverage", 100.0),
            Published("BLIP-2", 27.5, "first", "coverage", 100.0),
        ),
        note="published on 5,000 pictures with ChatGPT as the judge; figures of another judge are not comparable.",
    ),
)
