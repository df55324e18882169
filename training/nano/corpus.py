"""The text from which nano's language model learns: talk about scenes, with their facts where the picture will be."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from transformers import PreTrainedTokenizerFast

from minigpt4.evaluation.scenes.wording import (
    BRIEF_INSTRUCTIONS,
    DETAIL_INSTRUCTIONS,
    MORE_DETAIL_INSTRUCTIONS,
    QUESTION_KINDS,
    ask,
    caption,
    describe,
    summarise,
)
from minigpt4.evaluation.scenes.world import FACT_WORDS, Scene, sample_scenes

from .lookups import lookup
from .segments import Segments, Tokens


# The published prompts of the Vicuna family.
SYSTEM = (
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I provide it to you. "
    "Please answer my questions."
)
HUMAN, ASSISTANT, END_OF_TURN = "###Human: ", "###Assistant: ", "###"
BEFORE_IMAGE, AFTER_IMAGE = "<Img>", "</Img> "

# How often each kind of question is asked: the harder ones, which search the scene, more often.
QUESTION_WEIGHTS = {
    "colour": 3, "shape": 3, "size": 2, "at": 4, "where": 4, "count": 4, "exists": 5, "background": 1,
}  # fmt: skip
LOOKUP_LENGTH = 36
OUT_OF_SCOPE = "I can only describe the picture and answer questions about it."
OUT_OF_SCOPE_REQUESTS = (
    "Write a poem about this image.",
    "Tell me a story.",
    "Tell me a story about this image.",
    "Write a poem.",
    "Who are you?",
    "How do I make this?",
    "Write an advertisement for this product.",
    "What is the weather like?",
)
NO_PICTURE = "Please show me a picture first."
GREETINGS = ("Hello!", "Hi.", "Who are you?", "What can you do?", "Can you help me?", "Thank you.")


@dataclass
class Row(Tokens):
    """A sequence in which one image token stands for each group of `facts`, the ids of the words that it is made of."""

    facts: list[list[int]] = field(default_factory=list)


def vocabulary_texts(scenes: int = 4000) -> Iterator[str]:
    """Texts that contain every word nano must know as one token."""
    yield " ".join(FACT_WORDS)
    yield from (SYSTEM, HUMAN, ASSISTANT, BEFORE_IMAGE, AFTER_IMAGE, OUT_OF_SCOPE, NO_PICTURE, "Continue")
    for group in (DETAIL_INSTRUCTIONS, MORE_DETAIL_INSTRUCTIONS, BRIEF_INSTRUCTIONS, OUT_OF_SCOPE_REQUESTS, GREETINGS):
        yield from group
    rng = random.Random("vocabulary")
    for scene in islice(sample_scenes("vocabulary"), scenes):
        yield from (describe(scene), summarise(scene), caption(scene, rng))
        for kind in QUESTION_KINDS:
            question = ask(scene, kind, rng)
            yield from (question.text, question.answer)


class Corpus(Segments):
    """Draws rows of text by lot from `seed`, tokenized as the published prompts are."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int | str):
        super().__init__(tokenizer)
        self.rng = random.Random(f"corpus {seed}")
        self.scenes = sample_scenes(f"corpus {seed}")

    def continuation(self, text: str) -> list[int]:
        """The ids of text that goes on after `###` in the same segment."""
        return self.segment(END_OF_TURN + text)[len(self.segment(END_OF_TURN)) :]

    def lookups(self, length: int = LOOKUP_LENGTH) -> Row:
        """The picture, and then again and again a word for what is asked, words that name an object, and the answer, the
        only one with loss: `colour small ring red`. The barest text from which to learn to find objects by their facts.
        """
        scene = next(self.scenes)
        while len(scene.objects) == 1:
            scene = next(self.scenes)
        row = Row()
        row.add([self.tokenizer.bos_token_id])
        self._image(row, scene)
        while len(row.input_ids) < length:
            cue, given, answer = lookup(scene, self.rng)
            row.add(self.segment(" ".join((cue, *given))))
            row.add(self.segment(answer), learn=True)
        return row

    def row(self, length: int) -> Row:
        """One row: a caption (stage 1), or a dialogue in the chat form that goes on until it has `length` tokens."""
        scene, rng = next(self.scenes), self.rng
        row = Row()
        row.add([self.tokenizer.bos_token_id])
        lot = rng.random()
        if lot < 0.03:
            self._turn(row, rng.choice(GREETINGS), NO_PICTURE, opening=self._system() + HUMAN)
            return row
        if lot < 0.12:
            self._image(row, scene)
            row.add(self.segment(caption(scene, rng) + "\n"), learn=True)
            return row
        row.add(self.segment(self._system() + HUMAN + BEFORE_IMAGE))
        self._image(row, scene)
        opening, continued = AFTER_IMAGE, False
        for request, answer in self._turns(scene):
            self._turn(row, request, answer, opening, continued)
            opening, continued = "Human: ", True
            if len(row.input_ids) >= length:
                break
        return row

    def _system(self) -> str:
        return SYSTEM if self.rng.random() < 0.3 else ""

    def _image(self, row: Row, scene: Scene) -> None:
        row.facts = [self.segment(" ".join(group)) for group in scene.facts]
        row.add([self.image_token_id] * len(row.facts))

    def _turn(self, row: Row, request: str, answer: str, opening: str, continued: bool = False) -> None:
        """A request and its answer. A new answer follows the lone space at the end of the prompt; in the history of a
        chat that is tokenized again, the space is the answer's own. Both occur."""
        space = " " if self.rng.random() < 0.3 else ""  # stage 2 has one before `###Assistant`, the chat has none
        prompt = opening + request + space + ASSISTANT
        prompt = prompt if self.rng.random() < 0.6 else prompt.rstrip()
        row.add(self.continuation(prompt) if continued else self.segment(prompt))
        row.add(self.segment(answer + END_OF_TURN), learn=True)

    def _turns(self, scene: Scene) -> Iterator[tuple[str, str]]:
        rng = self.rng
        if rng.random() < 0.25:
            yield self._description(scene)
        while True:
            lot = rng.random()
            if lot < 0.03:
                yield rng.choice(OUT_OF_SCOPE_REQUESTS), OUT_OF_SCOPE
            elif lot < 0.07:
                yield self._description(scene)
            else:
                kind = rng.choices(list(QUESTION_WEIGHTS), list(QUESTION_WEIGHTS.values()))[0]
                question = ask(scene, kind, rng)
                yield question.text, question.answer

    def _description(self, scene: Scene) -> tuple[str, str]:
        lot = self.rng.random()
        if lot < 0.15:
            return self.rng.choice(BRIEF_INSTRUCTIONS), summarise(scene)
        return self.rng.choice(DETAIL_INSTRUCTIONS if lot < 0.6 else MORE_DETAIL_INSTRUCTIONS), describe(scene)
