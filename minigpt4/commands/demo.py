"""`minigpt4 demo`: the model at work, without preparation."""

import random
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from minigpt4.commands.console import working
from minigpt4.commands.pictures import check_exists, read_picture


if TYPE_CHECKING:
    from minigpt4.evaluation.scenes import Scene


INSTRUCTION = "Describe this image in detail."


def demo(
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="A picture of yours.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the picture to draw.")] = 0,
) -> None:
    """Draw a picture, have nano describe it and answer questions about it, and print the right answers."""
    if image is None:
        scene = _scene(seed)
        path = _save(scene, seed)
        exchanges = _exchanges(scene, seed)
    else:
        check_exists(image)
        path = image
        exchanges = {INSTRUCTION: None, "How many objects are there?": None}
    with working("Loading nano"):
        from minigpt4.inference.conversation import Conversation
        from minigpt4.loading import load

        picture = read_picture(path)
        conversation = Conversation(*load())
    print(f"The picture: {path}")
    if image is not None:
        print("nano knows drawn scenes of simple shapes only; it takes this picture for one of them.")
    conversation.show(picture)
    for text, truth in exchanges.items():
        print(f"\n  you:   {text}\n  nano:  ", end="", flush=True)
        conversation.say(text)
        if truth is not None:
            print(f"  truth: {truth}")
    print(
        f"""
What next:
  minigpt4 demo --seed {seed + 1}
  minigpt4 chat {shlex.quote(str(path))}
  minigpt4 --help
nano is tiny and comes with this package. It is no use for photographs; those need a full-size MiniGPT-4: make one out
of the published files, and give its folder to --model of these commands, or to from_pretrained in Python:
  minigpt4 convert --help
To talk with nano in a browser, open its page (in the folder of the repository also: make app):
  minigpt4 app"""
    )


def _scene(seed: int) -> "Scene":
    """A scene that nano was not trained on."""
    from minigpt4.evaluation.scenes import sample_scenes

    return next(sample_scenes(seed, held_out=True))


def _save(scene: "Scene", seed: int) -> str:
    """Draw the scene into a file, and return its path."""
    from minigpt4.evaluation.scenes import draw

    path = Path(tempfile.mkdtemp(prefix="minigpt4-")) / "scene.png"
    draw(scene, rng=random.Random(seed)).save(path)
    return str(path)


def _exchanges(scene: "Scene", seed: int) -> Mapping[str, str | None]:
    """What to say about the scene, with the right answers."""
    from minigpt4.evaluation.scenes import ask, describe

    questions = [ask(scene, kind, random.Random(seed)) for kind in ("colour", "where")]
    return {INSTRUCTION: describe(scene)} | {question.text: question.answer for question in questions}
