"""What mending has changed, word by word."""

import re
from difflib import SequenceMatcher
from html import escape


def difference(before: str, after: str) -> str:
    """HTML of `after`, with what is new in `<ins>` and what is gone in `<del>`. The texts themselves are no HTML."""
    old, new = (re.findall(r"\s+|[^\s\w]|\w+", text) for text in (before, after))
    parts = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = escape("".join(old[a:b])), escape("".join(new[c:d]))
        if kind == "equal":
            parts.append(come)
            continue
        parts += [f"<del>{gone}</del>"] if gone.strip() else []
        parts += [f"<ins>{come}</ins>"] if come.strip() else [come]
    return "".join(parts)
