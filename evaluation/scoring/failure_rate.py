"""
Failures of generated text that can be seen without the picture.

The MiniGPT-4 paper counted repeated words and sentences, fragments and irrelevant content by hand
(https://huggingface.co/papers/2304.10592, section 4.4). This is a proxy for all but the last, with these thresholds:

| failure | when |
|---|---|
| `repetition` | a word four times in a row, two to eight words three times in a row, or a piece of a word ten times in a row; or, from 20 words on, more than half of the sequences of four words occurred before (seq-rep-4 of https://huggingface.co/papers/1908.04319) |
| `repeated_sentence` | a sentence of three words or more occurs twice |
| `no_end` | the model did not end the answer by itself |
| `fragment` | fewer than three words, or the last sentence has no end |
| `other_language` | a sentence, or four letters or more in another script than Latin, are in another language with a probability of at least one half |

Marks and boxes of grounded answers are removed first. Chinese characters and kana count as a word each.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from minigpt4.processing.boxes import parse_grounding

from .summaries import ratio


FAILURES = ("repetition", "repeated_sentence", "no_end", "fragment", "other_language")
WORD_IN_A_ROW, WORDS_IN_A_ROW, PIECE_IN_A_ROW = 4, 3, 10
LONGEST_LOOP = 8
NGRAM, NGRAM_WORDS, NGRAM_SHARE = 4, 20, 0.5
SENTENCE_WORDS = FEWEST_WORDS = 3
FOREIGN_LETTERS, FOREIGN_PROBABILITY = 4, 0.5

_EAST_ASIAN = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_EAST_ASIAN}]|[^\W_{_EAST_ASIAN}]+(?:['\u2019][^\W_]+)*")
_END, _WIDE_END, _CLOSING = r".!?\u2026", r"\u3002\uff01\uff1f", r"\"'\u201d\u2019)\]*"
_SENTENCE_END = re.compile(rf"[{_END}]+(?=[\s{_CLOSING}]|$)|[{_WIDE_END}]+")
_ENDED = re.compile(rf"[{_END}{_WIDE_END}][^\w,;:<{{(-]*$")  # closing quotes, brackets and pictograms may follow
_PIECE = re.compile(rf"([^\s\d=_*-]{{1,20}}?)\1{{{PIECE_IN_A_ROW - 1},}}")  # rulers and long numbers are no failure
_FOREIGN = re.compile(r"[^\W\d_\u0000-\u024f](?:[^\W\d_\u0000-\u024f]|\s)*")  # beyond Latin letters


def failures(text: str, *, finished: bool = True, language: str | None = "en") -> list[str]:
    """
    What is wrong with a description or another text of some sentences; a short answer is a fragment.

    Args:
        text (`str`): generated.
        finished (`bool`, *optional*, defaults to `True`): whether the model ended it by itself.
        language (`str`, *optional*, defaults to `"en"`): the one asked for, by its ISO 639-1 code; `None` for any.

    Returns:
        `list[str]`: those of `FAILURES` that it has, in their order.

    Raises:
        ValueError: the language is none that can be told from others.
    """
    text = parse_grounding(text).text
    words = _words(text)
    sentences = [" ".join(found) for one in _SENTENCE_END.split(text) if (found := _words(one))]
    long_ones = [one for one in sentences if one.count(" ") + 1 >= SENTENCE_WORDS]
    failed = {
        "repetition": _PIECE.search(text) is not None or _loops(words) or _repeated_share(words) > NGRAM_SHARE,
        "repeated_sentence": len(set(long_ones)) < len(long_ones),
        "no_end": not finished,
        "fragment": len(words) < FEWEST_WORDS or not _ENDED.search(text.rstrip()),
        "other_language": language is not None and any(_is_foreign(piece, language) for piece in _pieces(text)),
    }
    return [name for name in FAILURES if failed[name]]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _loops(words: Sequence[str]) -> bool:
    """Whether some words are followed by themselves, over and over."""
    for size in range(1, LONGEST_LOOP + 1):
        needed = size * ((WORD_IN_A_ROW if size == 1 else WORDS_IN_A_ROW) - 1)
        equal = 0  # how many words in a row are those `size` before
        for before, word in zip(words, words[size:], strict=False):
            equal = equal + 1 if before == word else 0
            if equal == needed:
                return True
    return False


def _repeated_share(words: Sequence[str]) -> float:
    if len(words) < NGRAM_WORDS:
        return 0.0
    ngrams = [tuple(words[index : index + NGRAM]) for index in range(len(words) - NGRAM + 1)]
    return 1 - len(set(ngrams)) / len(ngrams)


def _pieces(text: str) -> Iterator[str]:
    """What is in one language each: sentences, and letters of other scripts within them."""
    for piece in _SENTENCE_END.split(text):
        if len(_words(piece)) >= SENTENCE_WORDS:
            yield piece
    for match in _FOREIGN.finditer(text):
        if len("".join(match[0].split())) >= FOREIGN_LETTERS:
            yield match[0]


def _is_foreign(piece: str, language: str) -> bool:
    identifier = _identifier()
    if language not in identifier.labels:
        raise ValueError(f"{language!r} is not a language that can be told from others: give a code such as 'en'.")
    told, probability = identifier.classify(piece)
    return told not in (language, "zxx") and probability >= FOREIGN_PROBABILITY  # zxx is no language at all


@cache
def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def score(answer: str, target: Any = None, *, finished: bool = True, language: str | None = "en") -> dict[str, Any]:
    """
    Whether an answer fails. The target is not looked at.

    Args:
        answer, finished, language: as `failures`.
        target (*optional*): anything.

    Returns:
        `dict`: `score`, 1.0 for a failure, 0.0 for none: lower is better; `failures`, their names.
    """
    found = failures(answer, finished=finished, language=language)
    return {"score": float(bool(found)), "failures": found}


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """Shares: `failure_rate`, and each of `FAILURES`; `n`."""
    shares = {name: ratio(sum(name in one["failures"] for one in scores), len(scores)) for name in FAILURES}
    return {
        "failure_rate": ratio(sum(bool(one["failures"]) for one in scores), len(scores)),
        **shares,
        "n": len(scores),
    }
