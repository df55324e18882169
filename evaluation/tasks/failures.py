"""How often a text of some sentences fails, before and after stage 2 (MiniGPT-4, section 4.4)."""

from collections.abc import Iterator
from pathlib import Path

from .files import existing
from .task import Published, Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """All pictures of a folder, by name: the paper took 100 of COCO's test."""
    from minigpt4.processing.image_formats import extensions

    folder = existing(root, "failures", "coco/test2014", "coco/test2017", "coco/images")
    known = extensions()
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in known:
            yield Sample(file.name, str(file))


TASKS = tuple(
    Task(
        name=f"failure-{kind}",
        title=f"Failure rate: {kind}",
        read=read,
        prompt=prompt,
        generation={"max_new_tokens": 300},
        metric="failure_rate",
        figure="failure_rate",
        lower_is_better=True,
        group="failure",
        published=(Published("MiniGPT-4", after), Published("MiniGPT-4, stage 1 only", before)),
        note="published figures were counted by hand on 100 pictures; this is a proxy that knows nothing of the picture.",
    )
    for kind, prompt, before, after in (
        ("description", "Describe the image in detail.", 35.0, 2.0),
        ("poem", "Can you write a beautiful poem about this image?", 32.0, 1.0),
    )
)
