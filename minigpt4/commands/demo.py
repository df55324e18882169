"""`minigpt4 demo`: the model at work, without preparation."""

import random
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from minigpt4.commands.console import say, working
from minigpt4.commands.pictures import check_exists, read_picture
from minigpt4.commands.wrapping import WordWrap


if TYPE_CHECKING:
    from minigpt4.evaluation.scenes import Scene


INSTRUCTION = "Describe this image in detail."
# Of nano-v2's tasks, those with boxes; its picture is drawn larger than it reads it, so that labels can be read.
FINDING, SCALE = ("grounding", "refer", "detection", "identify"), 3
PHOTOGRAPHS = (
    "nano is tiny and comes with this package. It is no use for photographs; those need a full-size MiniGPT-4: make one "
    "out of the published files, and give its folder to --model of these commands, or to from_pretrained in Python:"
)


def demo(
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="A picture of yours.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the picture to draw.")] = 0,
) -> None:
    """Draw a picture, have nano describe it and answer questions about it, and print the right answers.

    Then draw another, in which nano-v2 finds things, with the boxes that it gives.
    """
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
        from minigpt4.inference.streaming import print_pieces
        from minigpt4.loading import load

        picture = read_picture(path)
        conversation = Conversation(*load())
    say(f"The picture: {path}")
    if image is not None:
        say("nano knows drawn scenes of simple shapes only; it takes this picture for one of them.")
    conversation.show(picture)
    for text, truth in exchanges.items():
        print(f"\n  you:   {text}\n  nano:  ", end="", flush=True)
        print_pieces(conversation.stream(text), WordWrap(indent=9, column=9).write)
        if truth is not None:
            print("  truth: ", end="")
            WordWrap(indent=9, column=9).write(f"{truth}\n")
    if image is None:
        _find_things(Path(path).parent, seed)
    say(
        f"""
What next:
  minigpt4 demo --seed {seed + 1}
  minigpt4 chat {shlex.quote(str(path))}
  minigpt4 --help
{PHOTOGRAPHS}
  minigpt4 convert --help
To talk with nano in a browser, open its page (in the folder of the repository also: make app):
  minigpt4 app"""
    )


def _find_things(folder: Path, seed: int) -> None:
    """Draw a scene with boxes, have nano-v2 do its tasks on it, and draw the boxes of its description."""
    from minigpt4.evaluation.scenes.boxed import draw_boxed, request, sample_boxed_scenes, score_answer
    from minigpt4.hub_cards import nano_path
    from minigpt4.inference.answering import answer
    from minigpt4.inference.turns import user_turn
    from minigpt4.loading import load
    from minigpt4.processing import draw_boxes, parse_grounding
    from minigpt4.processing.tasks import TASKS

    with working("Loading nano-v2"):
        model, processor = load(nano_path("v2"))
        scene = next(sample_boxed_scenes(seed, held_out=True))
        picture = draw_boxed(scene, random.Random(seed), SCALE)
        picture.save(folder / "things.png")
        asked = [request(scene, task, random.Random(seed), TASKS[task].form) for task in FINDING]
        answers = answer(model, processor, [[user_turn(each.instruction, picture)] for each in asked], do_sample=False)
    print(f"\nnano-v2 finds things, too. The picture: {folder / 'things.png'}")
    for each, made in zip(asked, answers, strict=True):
        verdict = "right" if score_answer(scene, each, made.text, made.finished).right else "wrong"
        print(f"\n  you:     {each.instruction}\n  nano-v2: {made.text}\n  truth:   {each.answer} ({verdict})")
    phrases = parse_grounding(answers[FINDING.index("grounding")].text, picture.size).phrases
    draw_boxes(picture, phrases).save(folder / "boxes.png")
    print(f"\nThe picture with the boxes of its description: {folder / 'boxes.png'}")


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
