"""Scenes with boxes in words: what can be asked of one in each of MiniGPT-v2's tasks, and the only correct answer."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from minigpt4.evaluation.scenes.wording import DETAIL_INSTRUCTIONS, PLURALS, describe, fitting, name_of
from minigpt4.evaluation.scenes.world import COLOURS, POSITIONS, SHAPES, SIZES
from minigpt4.processing.boxes import Box, format_box, format_phrase
from minigpt4.processing.tasks import TASKS

from .world import COUNTS, BoxedObject, BoxedScene


CHAT = "chat"  # a request without an identifier
# By which facts an object is called, the shortest names first; `position` is its place, `at the left`.
WAYS = (
    "shape", "colour", "size shape", "colour shape", "size colour", "size colour shape",
    "shape position", "colour position", "size shape position", "colour shape position", "size colour shape position",
)  # fmt: skip
KINDS_WAYS = ("shape", "colour", "size shape", "colour shape", "size colour shape")  # of `[detection]`


class Phrase(NamedTuple):
    """What a phrase of the answer names, and where that is, in pixels and exactly."""

    words: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Request:
    """
    One request about a scene, with its answer.

    Args:
        task (`str`): a key of `TASKS`, or `"chat"` for a request without an identifier.
        instruction (`str`): what the user says, with the identifier in front.
        answer (`str`): the correct answer, boxes in whole hundredths as published.
        kind (`str`, defaults to `""`): of a question, one of `QUESTIONS`.
        phrases (`tuple[Phrase, ...]`, defaults to none):
            what the answer is measured by. `refer`: the one that was asked for; `detection`: the one phrase with all of
            its boxes; `grounding`: one for each object; `identify`: the object in the box that was asked about.
    """

    task: str
    instruction: str
    answer: str
    kind: str = ""
    phrases: tuple[Phrase, ...] = ()

    @property
    def words(self) -> str:
        """The instruction without its identifier, as in the ablation without identifiers."""
        return self.instruction.removeprefix(f"[{self.task}] ")


class Question(NamedTuple):
    kind: str
    text: str
    short: str
    long: str


def request(scene: BoxedScene, task: str, rng: random.Random, form: str | None = None) -> Request:
    """
    A random request of a task that has one correct answer in the scene, in a published wording.

    Args:
        scene (`BoxedScene`): what the picture shows.
        task (`str`): a key of `TASKS`, or `"chat"`.
        rng (`random.Random`): decides what is asked.
        form (`str`, *optional*): the wording, with `{}` for the words or the box. Default: one of the task's.
    """
    if task == CHAT:
        return _chat(scene, rng)
    return _TASKS[task](scene, rng, form or rng.choice(TASKS[task].forms))


def name(scene: BoxedScene, obj: BoxedObject, rng: random.Random, without: str = "") -> str | None:
    """A random name for an object that fits no other, with a place in it only where nothing shorter does, most of the time;
    `None` where there is none that does not use the fact `without`."""
    ways = [way for way in WAYS if without not in way.split()]
    found = [words for way in ways for words in _names(scene, obj, way)]
    short = [words for words in found if " at the " not in words]
    return rng.choice(short if short and rng.random() < 0.8 else found) if found else None


def phrase(obj: BoxedObject) -> str:
    """The whole name of an object without its place: `a large red circle`."""
    return f"a {obj}"


def _names(scene: BoxedScene, obj: BoxedObject, way: str) -> Iterator[str]:
    values = {fact: getattr(obj, fact) for fact in way.split()}
    if len(fitting(scene, values)) == 1:
        place = values.pop("position", None)
        yield name_of(values) + (f" at the {place}" if place else "")


def _box(scene: BoxedScene, obj: BoxedObject) -> str:
    return format_box(obj.box, scene.size)


def _refer(scene: BoxedScene, rng: random.Random, form: str) -> Request:
    obj = rng.choice(scene.objects)
    words = name(scene, obj, rng) or ""  # there is always one: no two objects have all facts in common
    article = "the " if "the {}" not in form and rng.random() < 0.5 else ""
    answer = _box(scene, obj)
    return Request("refer", form.format(article + words), answer, phrases=(Phrase(words, (obj.box,)),))


def _identify(scene: BoxedScene, rng: random.Random, form: str) -> Request:
    obj = rng.choice(scene.objects)
    return Request("identify", form.format(_box(scene, obj)), phrase(obj), phrases=(Phrase(phrase(obj), (obj.box,)),))


def _detection(scene: BoxedScene, rng: random.Random, form: str) -> Request:
    obj = rng.choice(scene.objects)
    values = {fact: getattr(obj, fact) for fact in rng.choice(KINDS_WAYS).split()}
    words, boxes = name_of(values), tuple(other.box for other in scene.objects if other in fitting(scene, values))
    answer = format_phrase(words, boxes, scene.size)
    return Request("detection", form.format(words), answer, phrases=(Phrase(words, boxes),))


def _grounding(scene: BoxedScene, rng: random.Random, form: str) -> Request:
    phrases = tuple(Phrase(phrase(obj), (obj.box,)) for obj in scene.objects)
    things = _listed([format_phrase(*each, scene.size) for each in phrases])
    return Request("grounding", form, f"{things} on a {scene.background} background", phrases=phrases)


def _caption(scene: BoxedScene, rng: random.Random, form: str) -> Request:
    return Request("caption", form, caption(scene))


def _vqa(scene: BoxedScene, rng: random.Random, form: str) -> Request:
    question = ask(scene, rng)
    return Request("vqa", form.format(question.text), question.short, question.kind)


def _chat(scene: BoxedScene, rng: random.Random) -> Request:
    if rng.random() < 0.3:
        return Request(CHAT, rng.choice(DETAIL_INSTRUCTIONS), describe(scene), "description")
    question = ask(scene, rng)
    return Request(CHAT, question.text, question.long, question.kind)


_TASKS: dict[str, Callable[[BoxedScene, random.Random, str], Request]] = {
    "vqa": _vqa,
    "caption": _caption,
    "grounding": _grounding,
    "refer": _refer,
    "identify": _identify,
    "detection": _detection,
}


def caption(scene: BoxedScene) -> str:
    """A short caption as `[caption]` gives it: colours and shapes alone."""
    return f"{_listed([f'a {obj.colour} {obj.shape}' for obj in scene.objects])} on {scene.background}"


def _listed(things: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(things[:-1]), things[-1])))


def ask(scene: BoxedScene, rng: random.Random, kind: str | None = None) -> Question:
    """A random question (of `kind`, where that can be asked of the scene) with its short and its long answer."""
    while True:
        wanted = kind or rng.choice(list(QUESTIONS))
        if (found := QUESTIONS[wanted](scene, rng)) is not None:
            return Question(wanted, *found)
        kind = None  # another one, if nothing here has a name without what is asked for


def _ask_fact(fact: str, text: str) -> Callable:
    def ask_fact(scene: BoxedScene, rng: random.Random) -> tuple[str, str, str] | None:
        obj = rng.choice(scene.objects)
        words = name(scene, obj, rng, without=fact)
        if words is None:
            return None
        value = getattr(obj, fact)
        is_value = {"shape": f"is a {value}", "position": f"is at the {value}"}.get(fact, f"is {value}")
        return text.format(words), value, f"The {words} {is_value}."

    return ask_fact


def _ask_count(scene: BoxedScene, rng: random.Random) -> tuple[str, str, str]:
    values = _some_facts(scene, rng)
    if values and rng.random() < 0.25:
        fact = rng.choice(list(values))
        values[fact] = rng.choice(_WORDS[fact])
    number = len(fitting(scene, values))
    *adjectives, noun = name_of(values).split()
    plural = " ".join((*adjectives, PLURALS[noun]))
    if number == 1:
        return f"how many {plural} are there?", "one", f"There is one {name_of(values)}."
    count = COUNTS[number - 1] if number else "no"
    return f"how many {plural} are there?", count if number else "none", f"There are {count} {plural}."


def _ask_exists(scene: BoxedScene, rng: random.Random) -> tuple[str, str, str]:
    values = _some_facts(scene, rng) or {"shape": rng.choice(scene.objects).shape}
    if rng.random() < 0.5:  # change one fact, so that a near miss is refused as surely as what is wholly absent
        fact = rng.choice(list(values))
        values[fact] = rng.choice(_WORDS[fact])
    words = name_of(values)
    if fitting(scene, values):
        return f"is there a {words}?", "yes", f"Yes, there is a {words}."
    return f"is there a {words}?", "no", f"No, there is no {words}."


def _some_facts(scene: BoxedScene, rng: random.Random) -> dict[str, str]:
    obj, way = rng.choice(scene.objects), rng.choice(("", "shape", "colour", "colour shape", "size shape"))
    return {fact: getattr(obj, fact) for fact in way.split()}


def _ask_background(scene: BoxedScene, rng: random.Random) -> tuple[str, str, str]:
    return "what colour is the background?", scene.background, f"The background is {scene.background}."


_WORDS = {"size": SIZES, "colour": COLOURS, "shape": SHAPES, "position": POSITIONS}
QUESTIONS = {
    "colour": _ask_fact("colour", "what colour is the {}?"),
    "shape": _ask_fact("shape", "what shape is the {}?"),
    "size": _ask_fact("size", "is the {} small or large?"),
    "where": _ask_fact("position", "where is the {}?"),
    "count": _ask_count,
    "exists": _ask_exists,
    "background": _ask_background,
}
