"""The tasks that MiniGPT-v2 knows by a word in square brackets, as they are asked for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """How one task is asked for.

    Args:
        label: What the page calls it.
        form: The instruction, with `{}` for what the user writes or where the box is.
        hint: What to write.
        default: Stands in for what the user does not write; where there is none, something must be written.
        takes_box: Whether `{}` is a box that the user draws.
    """

    label: str
    form: str
    hint: str = ""
    default: str = ""
    takes_box: bool = False


_KNOWN = {
    "vqa": Task(
        "short answer",
        "[vqa] Based on the image, respond to this question with a short answer: {}",
        hint="Your question about the picture",
    ),
    "caption": Task("caption", "[caption] {}", default="Briefly describe this image."),
    "grounding": Task("describe with boxes", "[grounding] {}", default="please describe this image in details"),
    "refer": Task("find one thing", "[refer] give me the location of {}", hint="What to find: the red cup"),
    "identify": Task("what is in a box", "[identify] what is this {}", hint="Draw a box, then send", takes_box=True),
    "detection": Task("find all of a kind", "[detection] {}", hint="What to find: cups"),
}


def known_tasks(identifiers: list[str]) -> dict[str, Task]:
    """The tasks of a checkpoint whose processor has these `task_identifiers`, by identifier."""
    return {name: _KNOWN.get(name, Task(name, f"[{name}] {{}}", hint="Your instruction")) for name in identifiers}
