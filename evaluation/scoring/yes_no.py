"""Whether a text says yes or no."""

import re


_WORD = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
# "Yes, no object is missing" says yes; "yes and no" and "yes/no" say neither.
_FIRST = re.compile(r"^\W*(?:\d+\W+)?(yes|no)\b(?!(?:\W+(?:and|or|but)\W+|\s*[/|]\s*)(?:yes|no)\b)", re.IGNORECASE)


def yes_or_no(text: str) -> str | None:
    """
    `"yes"` or `"no"`, where a text begins with it (after a number, or marks), or contains one of them and not the other.

    Returns:
        `str`, *optional*: `None` where it says neither, or both.
    """
    if first := _FIRST.match(text):
        return first[1].lower()
    words = {word.lower() for word in _WORD.findall(text)}
    return words.pop() if len(words) == 1 else None
