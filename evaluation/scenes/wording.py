"""Scenes in words: short captions, descriptions, and questions with their only correct answer."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .world import COLOURS, NUMBERS, POSITIONS, SHAPES, SIZES, Scene, SceneObject


# The published instructions of stage 2, and others that ask for the same detailed description.
DETAIL_INSTRUCTIONS = (
    "Describe this image in detail.",
    "Take a look at this image and describe what you notice.",
    "Please provide a detailed description of the picture.",
    "Could you describe the contents of this image for me?",
)
MORE_DETAIL_INSTRUCTIONS = (
    "Describe this image in detail. Give as many details as possible. Say everything you see.",
    "Describe this image.",
    "Describe the picture.",
    "What is in this image?",
    "What do you see in the picture?",
)
# What asks for a description in one sentence.
BRIEF_INSTRUCTIONS = ("Describe this image in one sentence.", "Give a short description of the picture.")

MAX_NEW_TOKENS = 120  # the longest correct description has 73 of nano's tokens
PLURALS = {shape: f"{shape}es" if shape == "cross" else f"{shape}s" for shape in (*SHAPES, "object")}


@dataclass(frozen=True)
class Question:
    kind: str
    text: str
    answer: str


def describe(scene: Scene) -> str:
    """The detailed description: one sentence about the whole, then one for each object in reading order."""
    sentences = [f"The image shows {_number_of(scene)} on a {scene.background} background."]
    sentences += [f"A {obj} is at the {obj.position}." for obj in scene.objects]
    return " ".join(sentences)


def summarise(scene: Scene) -> str:
    """All of the scene in one sentence."""
    things = [f"a {obj} at the {obj.position}" for obj in scene.objects]
    return f"On a {scene.background} background there is {' and '.join(things)}."


def caption(scene: Scene, rng: random.Random) -> str:
    """A short caption as found beside pictures on the web: lower case, no full stop, and only part of the story."""
    obj = rng.choice(scene.objects)
    others = [other for other in scene.objects if other is not obj]
    match rng.randrange(8):
        case 0:
            return f"{_number_of(scene)} on {scene.background}"
        case 1:
            return f"a picture of a {obj.colour} {obj.shape}"
        case 2:
            return f"a {obj} on a {scene.background} background"
        case 3:
            return f"a {obj.colour} {obj.shape} at the {obj.position}"
        case 4:
            return f"{obj.size} {obj.shape} at the {obj.position}"
        case 5:
            return f"{_number_of(scene)} with a {obj.shape} at the {obj.position}"
        case _ if others:
            other = rng.choice(others)
            first, second = sorted((obj, other), key=scene.objects.index)
            return f"a {first.colour} {first.shape} and a {second.colour} {second.shape}"
        case _:
            return f"a {obj} alone"


def _number_of(scene: Scene) -> str:
    return f"{scene.count} object{'s' if len(scene.objects) > 1 else ''}"


def _names(scene: Scene, obj: SceneObject, facts: str) -> Iterator[str]:
    """The ways to name `obj` by the `facts` given (a subset of size, colour, shape) that fit no other object."""
    values = {fact: getattr(obj, fact) for fact in facts.split()}
    if len(fitting(scene, values)) == 1:
        yield name_of(values)


def fitting(scene: Scene, values: Mapping[str, str]) -> list[SceneObject]:
    """The objects with these `values` of facts."""
    return [obj for obj in scene.objects if all(getattr(obj, fact) == value for fact, value in values.items())]


def name_of(values: Mapping[str, str]) -> str:
    """A name from size, colour and shape, those that are given: `red object`."""
    return " ".join((*values.values(), *(() if "shape" in values else ("object",))))


def ask(scene: Scene, kind: str, rng: random.Random) -> Question:
    """A question of `kind` (one of `QUESTION_KINDS`) that has one answer in the scene, randomly worded."""
    return Question(kind, *_ASK[kind](scene, rng))


def _about(scene: Scene, rng: random.Random, *ways: str) -> tuple[SceneObject, str]:
    """An object and a name for it, by one of the `ways` (facts to name it by) or, always possible, by its place."""
    obj = rng.choice(scene.objects)
    names = [name for way in ways for name in _names(scene, obj, way)]
    if not names or rng.random() < 0.15:
        return obj, f"object at the {obj.position}"
    return obj, rng.choice(names)


def _ask_colour(scene: Scene, rng: random.Random) -> tuple[str, str]:
    obj, name = _about(scene, rng, "shape", "size shape")
    question = rng.choice((f"What colour is the {name}?", f"Which colour does the {name} have?"))
    return question, f"The {name} is {obj.colour}."


def _ask_shape(scene: Scene, rng: random.Random) -> tuple[str, str]:
    obj, name = _about(scene, rng, "colour", "size colour")
    question = rng.choice((f"What shape is the {name}?", f"Which shape does the {name} have?"))
    return question, f"The {name} is a {obj.shape}."


def _ask_size(scene: Scene, rng: random.Random) -> tuple[str, str]:
    obj, name = _about(scene, rng, "shape", "colour shape")
    question = rng.choice((f"What size is the {name}?", f"Is the {name} small or large?"))
    return question, f"The {name} is {obj.size}."


def _ask_at(scene: Scene, rng: random.Random) -> tuple[str, str]:
    taken = {obj.position: obj for obj in scene.objects}
    free = [position for position in POSITIONS if position not in taken]
    position = rng.choice(free) if rng.random() < 0.2 else rng.choice(list(taken))
    question = rng.choice((f"What is at the {position}?", f"What do you see at the {position}?"))
    if position not in taken:
        return question, f"There is nothing at the {position}."
    return question, f"There is a {taken[position]} at the {position}."


def _ask_where(scene: Scene, rng: random.Random) -> tuple[str, str]:
    named = [(obj, way) for obj in scene.objects for way in ("shape", "colour", "colour shape", "size colour shape")]
    named = [(obj, name) for obj, way in named for name in _names(scene, obj, way)]
    if not named:  # all objects alike: there is no telling which is meant
        return _ask_at(scene, rng)
    obj, name = rng.choice(named)
    question = rng.choice((f"Where is the {name}?", f"In which place is the {name}?"))
    return question, f"The {name} is at the {obj.position}."


def _ask_count(scene: Scene, rng: random.Random) -> tuple[str, str]:
    if rng.random() < 0.25:
        name, number = "object", len(scene.objects)
    elif rng.random() < 0.7:
        shapes = [obj.shape for obj in scene.objects]
        name = rng.choice(shapes) if rng.random() < 0.75 else rng.choice(SHAPES)
        number = shapes.count(name)
    else:
        colours = [obj.colour for obj in scene.objects]
        colour = rng.choice(colours) if rng.random() < 0.75 else rng.choice(COLOURS)
        name, number = f"{colour} object", colours.count(colour)
    *adjective, noun = name.split()
    plural = " ".join((*adjective, PLURALS[noun]))
    question = rng.choice((f"How many {plural} are there?", f"How many {plural} do you see?"))
    if number == 1:
        return question, f"There is one {name}."
    return question, f"There are {NUMBERS[number - 1] if number else 'no'} {plural}."


def _ask_exists(scene: Scene, rng: random.Random) -> tuple[str, str]:
    way = rng.choice(("shape", "colour", "colour shape", "size shape")).split()
    obj = rng.choice(scene.objects)
    wanted = {fact: getattr(obj, fact) for fact in way}
    present = rng.random() < 0.5
    if not present:  # change one fact, so that a near miss is refused as surely as what is wholly absent
        choices = {"size": SIZES, "colour": COLOURS, "shape": SHAPES}
        near = [
            {**wanted, fact: value}
            for fact in way
            for value in choices[fact]
            if not fitting(scene, {**wanted, fact: value})
        ]
        present = not near
        wanted = rng.choice(near) if near else wanted
    name = name_of(wanted)
    question = rng.choice((f"Is there a {name}?", f"Do you see a {name}?"))
    return question, f"Yes, there is a {name}." if present else f"No, there is no {name}."


def _ask_background(scene: Scene, rng: random.Random) -> tuple[str, str]:
    question = rng.choice(("What colour is the background?", "Which colour does the background have?"))
    return question, f"The background is {scene.background}."


_ASK = {
    "colour": _ask_colour,
    "shape": _ask_shape,
    "size": _ask_size,
    "at": _ask_at,
    "where": _ask_where,
    "count": _ask_count,
    "exists": _ask_exists,
    "background": _ask_background,
}
QUESTION_KINDS = tuple(_ASK)
