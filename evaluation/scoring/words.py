"""What a word is."""

import re


# An apostrophe or a hyphen joins its parts.
WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
