"""`minigpt4 demo`: the model at work, with nothing to prepare."""

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minigpt4.commands.console import working
from minigpt4.commands.pictures import read_picture


if TYPE_CHECKING:
    from minigpt4.evaluation.scenes.world import Scene


INSTRUCTION = "Describe this image in detail."


def demo(
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="A picture of yours, in any format.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Which picture to draw.")] = 0,
) -> None:
    """Draw a picture, let nano describe it and answer questions about it, and say what is true."""
    from minigpt4.conversation import Conversation
    from minigpt4.loading import load

    scene = None
    if image:
        picture, path = read_picture(image), image
    else:
        scene, picture, path = _draw(seed)
    with working("Loading nano"):
        conversation = Conversation(*load())
    conversation.show(picture)
    print(f"The picture:  {path}")
    if scene is None:
        print("              nano knows drawn scenes of simple shapes only: it will answer as if this were one.")
        questions = ["How many objects are there?"]
        truths = {}
    else:
        questions, truths = _questions(scene, seed)
    for text in (INSTRUCTION, *questions):
        print(f"\n  you:        {text}\n  nano:       ", end="", flush=True)
        conversation.say(text)
        if text in truths:
            print(f"  in truth:   {truths[text]}")
    print(f"\n{_what_next(path)}")


def _draw(seed: int) -> tuple["Scene", Any, Path]:
    """A scene that nano was never trained on, its picture, and the file that the picture is in."""
    from minigpt4.evaluation.scenes.drawing import draw
    from minigpt4.evaluation.scenes.world import sample_scenes

    scene = next(sample_scenes(seed, held_out=True))
    path = Path(tempfile.mkdtemp(prefix="minigpt4-")) / "scene.png"
    draw(scene, rng=random.Random(seed)).save(path)
    return scene, read_picture(str(path)), path


def _questions(scene: "Scene", seed: int) -> tuple[list[str], dict[str, str]]:
    """Two questions about the scene, and what is true of it for these and for the description."""
    from minigpt4.evaluation.scenes.wording import ask, describe

    asked = [ask(scene, kind, random.Random(seed)) for kind in ("colour", "where")]
    return [question.text for question in asked], {
        INSTRUCTION: describe(scene),
        **{question.text: question.answer for question in asked},
    }


def _what_next(path: str | Path) -> str:
    return f"""\
What next:
  minigpt4 demo --seed 1                  another picture
  minigpt4 chat {path}   ask more about this one
  minigpt4 --help                         everything else
nano is tiny and lives in this package. For photographs you need a full-size model: with a MiniGPT-4
checkpoint in Hugging Face format, give its folder to --model, or to from_pretrained in Python."""
