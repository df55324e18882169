"""The text from which nano-v2's language model learns: talk about scenes and boxes, with codes where the picture will be.

What the identifiers ask for is left to the three stages: here words of our own stand in their place."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from transformers import PreTrainedTokenizerFast

from minigpt4.evaluation.scenes.boxed import BoxedScene, request, sample_boxed_scenes
from minigpt4.evaluation.scenes.boxed.wording import CHAT, KINDS_WAYS, name, phrase
from minigpt4.evaluation.scenes.boxed.world import COUNTS
from minigpt4.evaluation.scenes.wording import DETAIL_INSTRUCTIONS, fitting
from minigpt4.evaluation.scenes.world import COLOURS, POSITIONS, SHAPES, SIZES
from minigpt4.processing.boxes import format_box, format_boxes
from minigpt4.processing.tasks import TASKS
from minigpt4.training.nano.lookups import lookup
from minigpt4.training.nano.segments import Segments, Tokens

from .settings import NUM_IMAGE_TOKENS


# Whole words, identifiers and marks, and each number of a box, as one token.
WORDS_AND_MARKS = r"▁?\[/?\p{L}+\]|▁?</?\p{L}+>|<\d+>|▁?\{|▁?\p{L}+(-\p{L}+)*|#+|[^\p{L}]"
# In place of the identifiers.
OWN_WORDS = {
    "vqa": "answer", "caption": "tell", "grounding": "show", "refer": "locate", "identify": "name", "detection": "find",
}  # fmt: skip
TASK_WEIGHTS = {"vqa": 4, "caption": 1, "grounding": 2, "refer": 5, "identify": 3, "detection": 6, CHAT: 3}
LOOKUP_LENGTH = NUM_IMAGE_TOKENS + 80
NO_PICTURE = "Please show me a picture first."
GREETINGS = ("Hello!", "Hi.", "Who are you?", "What can you do?", "Can you help me?", "Thank you.")
OPENING, AFTER_IMAGE, CLOSING = "[INST] <Img>", "</Img> ", " [/INST]"


@dataclass
class Row(Tokens):
    """A sequence with the tokens of the picture of `scene`, if it has any."""

    scene: BoxedScene | None = None


def vocabulary_texts(scenes: int = 2000) -> Iterator[str]:
    """Texts that contain every word nano-v2 must know as one token."""
    yield from (OPENING, AFTER_IMAGE, CLOSING, NO_PICTURE, "<delim>", *GREETINGS, *DETAIL_INSTRUCTIONS)
    yield " ".join((*SIZES, *COLOURS, *SHAPES, *POSITIONS, *COUNTS, *OWN_WORDS.values()))
    yield "{" + "".join(f"<{number}>" for number in range(101)) + "}"
    yield "size colour shape place there many box what all Yes No no"
    for task, wording in TASKS.items():
        yield from (f"[{task}]", wording.asked, wording.default, *wording.forms)
    rng = random.Random("vocabulary")
    for scene in islice(sample_boxed_scenes("vocabulary"), scenes):
        for task in (*TASKS, CHAT):
            made = request(scene, task, rng)
            yield from (made.instruction, made.answer)


class Corpus(Segments):
    """Rows of text about scenes, each drawn by lot from a generator, tokenized as the published prompts are."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast):
        super().__init__(tokenizer)
        self.bos, self.eos = [tokenizer.bos_token_id], [tokenizer.eos_token_id]

    def lookups(self, scene: BoxedScene, rng: random.Random, length: int = LOOKUP_LENGTH, *, ended: bool) -> Row:
        """The picture, and then again and again a word for what is asked, words that name objects, and the answer, the
        only one with loss: `box small ring {<1><2><3><4>}`. `ended` answers have the end token after them."""
        row = Row(scene=scene)
        row.add(self.bos)
        row.add([self.image_token_id] * NUM_IMAGE_TOKENS)
        while len(row.input_ids) < length:
            given, answer = _lookup(scene, rng)
            row.add(self.segment(given))
            row.add(self.segment(answer) + self.eos * ended, learn=True)
        return row

    def dialogue(self, scene: BoxedScene, rng: random.Random, length: int) -> Row:
        """A chat in the form of MiniGPT-v2, in training's or in inference's, that goes on until it has `length` tokens."""
        training = rng.random() < 0.7
        row, turns = Row(), _turns(scene, rng)
        row.add(self.bos if training else self.bos * 2)
        if rng.random() < 0.03:
            row.add(self.segment(OPENING.removesuffix("<Img>") + rng.choice(GREETINGS) + CLOSING))
            row.add(self.segment(NO_PICTURE) + self.eos, learn=True)
            return row
        row.scene = scene
        row.add(self.segment(OPENING))
        row.add([self.image_token_id] * NUM_IMAGE_TOKENS)
        opening = AFTER_IMAGE
        for instruction, answer in turns:
            row.add(self.segment(opening + instruction + (" " if training else "") + CLOSING))
            row.add(self.segment(answer), learn=True)
            if len(row.input_ids) >= length:
                row.add(self.eos, learn=True)
                return row
            if training:  # chats leave out the ends of earlier answers
                row.add(self.eos, learn=True)
            row.add(self.bos)
            opening = OPENING.removesuffix("<Img>")
        return row


def _turns(scene: BoxedScene, rng: random.Random) -> Iterator[tuple[str, str]]:
    while True:
        [task] = rng.choices(list(TASK_WEIGHTS), list(TASK_WEIGHTS.values()))
        made = request(scene, task, rng)
        yield (made.instruction if task == CHAT else f"{OWN_WORDS[task]} {made.words}"), made.answer


def _lookup(scene: BoxedScene, rng: random.Random) -> tuple[str, str]:
    lot, obj = rng.random(), rng.choice(scene.objects)
    box = format_box(obj.box, scene.size)
    if lot < 0.3:
        return f"box {name(scene, obj, rng)}", box
    if lot < 0.45:
        return f"what {box}", phrase(obj)
    if lot < 0.8:
        values = {fact: getattr(obj, fact) for fact in rng.choice(KINDS_WAYS).split()}
        boxes = [each.box for each in scene.objects if each in fitting(scene, values)]
        if rng.random() < 0.25:
            return " ".join(("many", *values.values())), COUNTS[len(boxes) - 1]
        return " ".join(("all", *values.values())), format_boxes(boxes, scene.size)
    cue, given, answer = lookup(scene, rng, COUNTS)
    return " ".join((cue, *given)), answer
