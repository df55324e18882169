"""A mender without a language model: it removes what is repeated, meaningless or unfinished, and adds nothing."""

import re
from collections.abc import Iterator


NAME = "rules"
_SENTENCE = re.compile(r".+?(?:[.!?]+[\"'\u201d\u2019)]*(?=\s|$)|$)", re.DOTALL)  # not within 3.5 or e.g.this
_MEANINGLESS = re.compile(r"[^\w\s.,;:!?'\"()\u2018\u2019\u201c\u201d%&/-]+|(?<!\w)[_~^|\\]+")
_STUTTER = re.compile(r"\b(\w+(?:\s+\w+){0,7})(?:[\s,]+\1\b)+", re.IGNORECASE)
_ENDED = re.compile(r"[.!?][\"'\u201d\u2019)]*$")


def mend(text: str) -> str:
    """
    The text without meaningless characters, words repeated in a row, sentences that came before, and a last sentence that has
    no end.
    """
    text = _MEANINGLESS.sub(" ", text)
    kept, seen = [], set()
    for sentence in _sentences(text):
        sentence = _STUTTER.sub(r"\1", sentence)
        key = " ".join(re.findall(r"\w+", sentence.lower()))
        if key and key not in seen and _ENDED.search(sentence):
            kept.append(sentence[0].upper() + sentence[1:])
            seen.add(key)
    return " ".join(kept)


def _sentences(text: str) -> Iterator[str]:
    for match in _SENTENCE.finditer(text):
        sentence = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(match[0].split()))
        if sentence:
            yield sentence
