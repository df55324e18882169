"""Token ids of text, segment by segment as the published prompts are tokenized."""

from dataclasses import dataclass, field
from functools import lru_cache

from transformers import PreTrainedTokenizerFast


@dataclass
class Tokens:
    """Token ids of one sequence; what has no loss is -100 in `labels`."""

    input_ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)

    def add(self, ids: list[int], learn: bool = False) -> None:
        self.input_ids += ids
        self.labels += ids if learn else [-100] * len(ids)


class Segments:
    """Tokenizes segments of text for a corpus."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast):
        self.tokenizer = tokenizer
        self.image_token_id = tokenizer.convert_tokens_to_ids("<ImageHere>")
        self._space = self._ids(" ")[:1]
        self._word = lru_cache(1 << 14)(lambda word: self._ids(word) or self._space)

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def segment(self, text: str) -> list[int]:
        """The ids of a segment, with the dummy space in front; word by word, which gives the same and can be kept."""
        return [token for word in text.split(" ") for token in self._word(word)]
