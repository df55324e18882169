"""Objects in a description that are not in the picture: CHAIR (https://huggingface.co/papers/1809.02156)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from .summaries import mean_of, ratio
from .words import WORD


class Synonyms:
    """
    The words for each kind of object, singular and plural.

    Args:
        groups (`list[list[str]]`): words for the same kind, of which the first is its name. A word may be several, as "hot dog".

    Raises:
        ValueError: no words, or one for two kinds.
    """

    def __init__(self, groups: Sequence[Sequence[str]]):
        self.kinds: dict[tuple[str, ...], str] = {}
        plurals: dict[tuple[str, ...], str] = {}
        for group in groups:
            words = [tuple(_words(word)) for word in group]
            kind = " ".join(words[0]) if words else ""
            for word in filter(None, words):
                if (other := self.kinds.setdefault(word, kind)) != kind:
                    raise ValueError(f"The word {' '.join(word)!r} stands for both {other!r} and {kind!r}.")
                plurals |= {(*word[:-1], plural): kind for plural in _plurals(word[-1])}
        if not self.kinds:
            raise ValueError("A table of synonyms must have words (got none).")
        self.kinds = plurals | self.kinds  # what the table has goes before what is derived
        self.longest = max(map(len, self.kinds))

    @classmethod
    def read(cls, file: str | Path) -> "Synonyms":
        """From a text file with a line for each kind: its name and its synonyms, with commas between them."""
        lines = Path(file).read_text(encoding="utf-8").splitlines()
        try:
            return cls([line.split(",") for line in lines if line.strip()])
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error

    def kind(self, name: str) -> str:
        """
        The kind that a word stands for.

        Raises:
            ValueError: none.
        """
        if (kind := self.kinds.get(tuple(_words(name)))) is None:
            raise ValueError(f"The table of synonyms has no {name!r}: add it, with its synonyms.")
        return kind

    def mentions(self, text: str) -> Iterator[str]:
        """The kinds that a text mentions, once for each mention; "hot dog" is no "dog"."""
        words = _words(text)
        start = 0
        while start < len(words):
            for size in range(min(self.longest, len(words) - start), 0, -1):
                if (kind := self.kinds.get(tuple(words[start : start + size]))) is not None:
                    yield kind
                    start += size
                    break
            else:
                start += 1


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _plurals(word: str) -> Iterator[str]:
    """How a plural may be written. What is not a word does no harm; irregular ones belong in the table."""
    yield from (f"{word}s", f"{word}es")
    for ending, plural in (("y", "ies"), ("f", "ves"), ("fe", "ves"), ("man", "men")):
        if word.endswith(ending):
            yield word.removesuffix(ending) + plural


@cache
def _read(file: str) -> Synonyms:
    return Synonyms.read(file)


def score(answer: str, target: Mapping[str, Any], *, synonyms: Synonyms | str | Path) -> dict[str, Any]:
    """
    Compare the objects that a description mentions with those of the picture.

    Args:
        answer (`str`): the model's description.
        target (`dict`): `objects`, their names; *optional* `captions`, whose objects count as in the picture, too.
        synonyms (`Synonyms`, or path of a file): see `Synonyms.read`.

    Returns:
        `dict`: `score`, the share of mentions that are not in the picture (CHAIR_i of this answer: lower is better), 0.0 without
        mentions; `mentions` and `hallucinated` (lists of kinds, one for each mention); `found`, kinds of the picture that are
        mentioned, of `present`; `words`.

    Raises:
        ValueError: an object of the target is not in the table.
    """
    table = synonyms if isinstance(synonyms, Synonyms) else _read(str(synonyms))
    present = {table.kind(name) for name in target["objects"]}
    present |= {kind for caption in target.get("captions") or () for kind in table.mentions(caption)}
    mentions = list(table.mentions(answer))
    hallucinated = [kind for kind in mentions if kind not in present]
    return {
        "score": ratio(len(hallucinated), len(mentions)),
        "mentions": mentions,
        "hallucinated": hallucinated,
        "found": len(present & set(mentions)),
        "present": len(present),
        "words": len(answer.split()),
    }


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """`chair_i`, the share of mentioned objects that are not in the picture; `chair_s`, of answers with such an object; `recall`,
    the share of the pictures' kinds of objects that are mentioned; `mean_words`; `n`; `without_objects`, answers that mention none."""
    hallucinated, mentions = (sum(len(one[name]) for one in scores) for name in ("hallucinated", "mentions"))
    found, present = (sum(one[name] for one in scores) for name in ("found", "present"))
    return {
        "chair_i": ratio(hallucinated, mentions),
        "chair_s": ratio(sum(bool(one["hallucinated"]) for one in scores), len(scores)),
        "recall": ratio(found, present),
        "mean_words": mean_of(scores, "words"),
        "n": len(scores),
        "without_objects": sum(not one["mentions"] for one in scores),
    }
