"""Whether a mended text may take the place of the text it was made from."""

import re
from collections.abc import Iterator

from minigpt4.evaluation.scoring.failure_rate import failures
from minigpt4.evaluation.scoring.words import WORD

from .leftovers import leftovers
from .recipe import Checks


_NUMBER_WORD = re.compile("two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand", re.I)
_SENTENCE_START = re.compile(r"(?:^|[.!?:\"\u201c\n])\s*\W*$")


def refusal(text: str, reply: str, checks: Checks, language: str | None = "en", finished: bool = True) -> str:
    """
    Why a reply may not replace a text; empty where it may.

    Args:
        text (`str`): what was to be mended.
        reply (`str`): what the mender made of it.
        checks ([`Checks`]): limits.
        language (`str`, *optional*): of the text.
        finished (`bool`): whether the mender ended its reply by itself.
    """
    if not reply.strip():
        return "empty"
    if not finished:
        return "cut off"
    if {*leftovers(reply)} - {*leftovers(text)}:
        return "apology or remark"
    share = len(WORD.findall(reply)) / max(1, len(WORD.findall(text)))
    if share < checks.shortest:
        return "too short"
    if share > checks.longest:
        return "too long"
    if "other_language" in failures(reply, language=language):
        return "other language"
    if len(new_words(text, reply)) > checks.new_words:
        return "new numbers or names"
    return ""


def new_words(text: str, reply: str) -> set[str]:
    """The numbers and names in a reply that the text does not have, in lower case."""
    known = {word.lower() for word in WORD.findall(text)}
    return {word for word in _numbers_and_names(reply) if word not in known}


def _numbers_and_names(text: str) -> Iterator[str]:
    """Names are words with a capital that do not begin a sentence."""
    for match in WORD.finditer(text):
        word = match[0]
        begins = _SENTENCE_START.search(text[: match.start()]) is not None
        named = word[0].isupper() and not begins and word not in ("I", "I'm", "I\u2019m")
        if word[0].isdigit() or _NUMBER_WORD.fullmatch(word) or named:
            yield word.lower()
