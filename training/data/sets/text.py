"""What all sets share in their texts: cleaning, and answers drawn by their share."""

import random
import re
from collections.abc import Sequence


MARKS = re.compile(r"[.!\"()*#:;~]")
MAX_WORDS = 50


def clean_caption(text: str) -> str:
    """
    Lower case; `. ! " ( ) * # : ; ~` and runs of white space become one space; at most 50 words. A single line break at
    the beginning stays.

    Captions, questions and answers of the published training are cleaned so, stage 1's captions too.
    """
    text = re.sub(r"\s{2,}", " ", MARKS.sub(" ", text.lower()))
    return " ".join(text.rstrip("\n").strip(" ").split(" ")[:MAX_WORDS])


def draw_answer(answers: Sequence[str], rng: random.Random) -> str:
    """One of the answers that people gave; an answer that three of ten gave comes three times in ten."""
    return rng.choice(answers)
