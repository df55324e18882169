"""The text from which nano's language model learns: scenes as words where the picture will be, and talk about them."""

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


# The published prompts of the Vicuna family.
SYSTEM = (
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I provide it to you. "
    "Please answer my questions."
)
HUMAN, ASSISTANT, END_OF_TURN = "###Human: ", "###Assistant: ", "###"
BEFORE_IMAGE, AFTER_IMAGE = "<Img>", "</Img> "

# How often each kind of question is asked: first as they come, later those more often that search the scene by name.
QUESTION_WEIGHTS = {
    "colour": 3, "shape": 3, "size": 2, "at": 4, "where": 3, "count": 3, "exists": 3, "background": 1,
}  # fmt: skip
SEARCHING_QUESTION_WEIGHTS = {
    "colour": 4, "shape": 4, "size": 2, "at": 2, "where": 6, "count": 3, "exists": 6, "background": 1,
}  # fmt: skip
STATEMENTS_SHARE = 0.5
STATEMENT_WEIGHTS = {"colour": 3, "shape": 3, "size": 2, "where": 5, "count": 2, "exists": 5}
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
class Row:
    """Token ids of one sequence; what has no loss is -100 in `labels`; `image` are the places of the scene's facts."""

    input_ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    image: range = range(0)

    def add(self, ids: list[int], learn: bool = False) -> None:
        self.input_ids += ids
        self.labels += ids if learn else [-100] * len(ids)


def vocabulary_texts(scenes: int = 4000) -> Iterator[str]:
    """Texts that hold every word nano shall know as one token."""
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


class Corpus:
    """Draws rows of text by lot from `seed`, tokenized as the published prompts are; if `searching`, mostly questions
    that search scenes of several objects."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int | str, searching: bool = False):
        self.tokenizer = tokenizer
        self.searching = searching
        self.rng = random.Random(f"corpus {seed}")
        self.scenes = sample_scenes(f"corpus {seed}")
        self._space = self._ids(" ")[:1]
        self._cache: dict[str, list[int]] = {}

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def segment(self, text: str) -> list[int]:
        """The ids of a segment, with the dummy space in front; word by word, which gives the same and can be kept."""
        ids = []
        for word in text.split(" "):
            if word not in self._cache:
                self._cache[word] = self._ids(word) or self._space
            ids += self._cache[word]
        return ids

    def continuation(self, text: str) -> list[int]:
        """The ids of text that goes on after `###` in the same segment."""
        return self.segment(END_OF_TURN + text)[len(self.segment(END_OF_TURN)) :]

    def row(self, length: int, descriptions_only: bool = False) -> Row:
        """One row: a caption (stage 1), or a dialogue in the chat form that goes on until it has `length` tokens."""
        scene, rng = next(self.scenes), self.rng
        row = Row()
        if self.searching:
            while len(scene.objects) == 1 and rng.random() < 0.7:
                scene = next(self.scenes)
            if rng.random() < STATEMENTS_SHARE and not descriptions_only:
                return self._statements(scene, length)
        row.add([self.tokenizer.bos_token_id])
        lot = rng.random()
        if lot < 0.04 and not descriptions_only:
            self._turn(row, rng.choice(GREETINGS), NO_PICTURE, opening=self._system() + HUMAN)
            return row
        if lot < 0.14 and not descriptions_only:
            self._image(row, scene)
            row.add(self.segment(caption(scene, rng) + "\n"), learn=True)
            return row
        row.add(self.segment(self._system() + HUMAN + BEFORE_IMAGE))
        self._image(row, scene)
        opening, continued = AFTER_IMAGE, False
        turns = self._turns(scene)
        if descriptions_only:
            turns = iter([(rng.choice(DETAIL_INSTRUCTIONS), describe(scene))])
        for request, answer in turns:
            self._turn(row, request, answer, opening, continued)
            opening, continued = "Human: ", True
            if len(row.input_ids) >= length:
                break
        return row

    def _statements(self, scene: Scene, length: int) -> Row:
        """The picture and then statements on it, one after another, with loss on the facts that end them: the densest
        text there is from which to learn to find an object by its name."""
        row = Row()
        row.add([self.tokenizer.bos_token_id])
        row.add(self.segment(BEFORE_IMAGE))
        self._image(row, scene)
        while len(row.input_ids) < length:
            kind = self.rng.choices(list(STATEMENT_WEIGHTS), list(STATEMENT_WEIGHTS.values()))[0]
            question = ask(scene, kind, self.rng)
            if kind in ("exists", "count"):
                given, fact = question.text, question.answer.split()[0 if kind == "exists" else 2]
            else:
                given, fact = question.answer.rsplit(" ", 1)
            row.add(self.segment(given))
            row.add(self.segment(fact), learn=True)
        return row

    def _system(self) -> str:
        return SYSTEM if self.rng.random() < (0.15 if self.searching else 0.3) else ""

    def _image(self, row: Row, scene: Scene) -> None:
        start = len(row.input_ids)
        row.add(self.segment(" ".join(scene.facts)))
        row.image = range(start, len(row.input_ids))

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
        weights = SEARCHING_QUESTION_WEIGHTS if self.searching else QUESTION_WEIGHTS
        if rng.random() < (0.1 if self.searching else 0.25):
            yield self._description(scene)
        while True:
            lot = rng.random()
            if lot < 0.03:
                yield rng.choice(OUT_OF_SCOPE_REQUESTS), OUT_OF_SCOPE
            elif lot < 0.07:
                yield self._description(scene)
            else:
                kind = rng.choices(list(weights), list(weights.values()))[0]
                question = ask(scene, kind, rng)
                yield question.text, question.answer

    def _description(self, scene: Scene) -> tuple[str, str]:
        lot = self.rng.random()
        if lot < 0.15:
            return self.rng.choice(BRIEF_INSTRUCTIONS), summarise(scene)
        return self.rng.choice(DETAIL_INSTRUCTIONS if lot < 0.6 else MORE_DETAIL_INSTRUCTIONS), describe(scene)
