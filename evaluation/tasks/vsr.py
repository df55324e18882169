"""VSR, zero-shot test: is a statement on where things are true? (https://huggingface.co/papers/2205.00363)."""

from collections.abc import Iterator
from pathlib import Path

from .files import existing, field, image, read_rows
from .task import Published, Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """`test.jsonl` of `cambridgeltl/vsr_zeroshot` on the Hub; its pictures are of COCO 2017."""
    folder = existing(root, "vsr")
    images = existing(root, "vsr/images", "coco/images")
    for place, row in read_rows(existing(folder, "test.jsonl", "test.json")):
        truth = "true" if int(field(row, place, "label")) == 1 else "false"
        caption = field(row, place, "caption")
        yield Sample(place.rpartition(" ")[2], image(images, field(row, place, "image"), place), caption, truth)


TASKS = (
    Task(
        name="vsr",
        title="VSR, zero-shot test: exact match",
        read=read,
        prompt="[vqa] Based on the image, is this statement true or false? {}",
        plain="Question: Based on the image, is this statement true or false? {} Answer:",
        metric="exact_match_vqa",
        published=(
            Published("MiniGPT-v2", 60.6),
            Published("MiniGPT-v2 (chat)", 63.3),
            Published("MiniGPT-4 (13B)", 41.6),
            Published("InstructBLIP (13B)", 52.1),
            Published("LLaVA (13B)", 51.2),
        ),
    ),
)
