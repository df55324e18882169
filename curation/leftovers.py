"""What does not belong into a description: parts of prompts, apologies, and remarks about the task."""

import re


LEFTOVERS = {
    "prompt": re.compile(
        r"###|</?Img>|<Img(?:Here)?|ImageHere|\[/?INST\]|<<SYS>>|</?s>|<\|\w+\|>|\b(?:Human|Assistant|User)\s*:"
        r"|\bdescribe this image in detail|\bsay everything you see|\bas many details as possible"
        r"|\bfix the errors? in the (?:given )?paragraph|\bwithout explanation\b|\bthe (?:given|input|provided) paragraph\b",
        re.IGNORECASE,
    ),
    "apology": re.compile(
        r"\bI(?:['\u2019]m| am) (?:so |very |really )?(?:sorry|afraid|unable)\b|\b(?:my )?apologies\b|\bI apologi[sz]e\b"
        r"|\bI (?:cannot|can['\u2019]t|can not|could not|couldn['\u2019]t|do not|don['\u2019]t) "
        r"(?:see|help|assist|provide|view|describe|fulfil|fulfill|access|comply|process)\b"
        r"|\bas an AI\b|\b(?:AI|large) language model\b",
        re.IGNORECASE,
    ),
    "remark": re.compile(
        r"^\s*(?:sure|certainly|of course|okay|ok)\b[,!. ]|\bhere(?:['\u2019]s| is| are) (?:the|your|an?) (?:\w+ )?"
        r"(?:corrected|revised|fixed|rewritten|edited|improved|cleaned|paragraph|version|text|result)"
        r"|\b(?:corrected|revised|rewritten|edited) (?:paragraph|version|text)\b|\bI(?:['\u2019]ve| have) "
        r"(?:corrected|fixed|removed|rewritten|revised|made)\b|\b(?:is|looks) already correct\b|\bno (?:changes|corrections) "
        r"(?:are |were )?(?:needed|necessary|made)\b|\blet me know if\b|^\s*(?:note|explanation)\s*:",
        re.IGNORECASE | re.MULTILINE,
    ),
}


def leftovers(text: str) -> list[str]:
    """Which of `LEFTOVERS` a text has."""
    return [name for name, pattern in LEFTOVERS.items() if pattern.search(text)]
