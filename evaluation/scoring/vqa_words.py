"""What the official evaluation of VQA makes of an answer before it is compared (https://visualqa.org/evaluation.html)."""

import re


ARTICLES = frozenset(("a", "an", "the"))
NUMBERS = ("none", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DIGITS = {word: str(max(0, index - 1)) for index, word in enumerate(NUMBERS)}  # `none` is 0, as `zero` is
PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'

_CONTRACTED = """
'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've
he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't needn't not've o'clock
oughtn't shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
someone's something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've they'll they're
they've wasn't we'd've we've weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's
who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're you've
"""
# Each with one apostrophe forgotten; and one entry of the official table that goes the other way.
CONTRACTIONS = {
    word[:index] + word[index + 1 :]: word
    for word in _CONTRACTED.split()
    for index, character in enumerate(word)
    if character == "'"
} | {"somebody'd": "somebodyd"}

_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")


def normalise(answer: str, periods: int = 0) -> str:
    """
    Lower-case an answer, remove articles and punctuation, write number words as digits and contractions with their apostrophe.

    Args:
        answer (`str`): of a model or of a person.
        periods (`int`, *optional*, defaults to 0): remove at most so many periods; 0 for all that no digit follows.

    Returns:
        `str`: words with one space between them.
    """
    text = " ".join(answer.split())
    plain = text
    for mark in PUNCTUATION:
        alone = f"{mark} " in text or f" {mark}" in text or _COMMA_IN_NUMBER.search(text)
        plain = plain.replace(mark, "" if alone else " ")
    plain = _PERIOD.sub("", plain, count=periods)
    words = (DIGITS.get(word, word) for word in plain.lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)
