"""Keys and values of what a model has read, kept for the next prompt that begins alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from transformers import DynamicCache


if TYPE_CHECKING:
    from transformers import Cache, PreTrainedConfig


class PromptCache:
    """The key-value cache of one conversation, found again by what was read into it.

    It stands at no position of its own: each prompt takes the part that it begins with, so turns may be edited, answered
    again or left out, and a prompt that is tokenized differently from what was generated costs the difference only.

    Args:
        config: Of the language model; its layers say what a cache looks like.
    """

    def __init__(self, config: "PreTrainedConfig") -> None:
        self._config = config
        self.clear()

    def clear(self) -> None:
        """Forget all that was read."""
        self._read: list[int] = []
        self._cache: Cache | None = None

    def take(self, prompt: Sequence[int]) -> "Cache":
        """The cache of the beginning that `prompt` shares with what was read, or an empty one.

        What is taken is gone until `keep` gives it back: a generation that fails half-way leaves no cache behind.

        Args:
            prompt: A number for each position: a token's id, or what tells one image from another. At least the last
                position is left to be read.
        """
        read, cache = self._read, self._cache
        self.clear()
        pairs = enumerate(zip(read, prompt[:-1], strict=False))
        shared = next((index for index, (old, new) in pairs if old != new), min(len(read), len(prompt) - 1))
        surplus = len(read) - shared
        if cache is None or shared == 0 or (surplus and not _can_be_cut(cache)):
            return DynamicCache(config=self._config)
        if surplus:
            cache.crop(-surplus)
        return cache

    def keep(self, read: Sequence[int], cache: "Cache") -> None:
        """Keep the cache of `read`; positions behind the cache's length, as of a last token, are left out."""
        self._read, self._cache = list(read[: cache.get_seq_length()]), cache


def _can_be_cut(cache: "Cache") -> bool:
    # A sliding window has lost what stood before it.
    return cache.is_croppable and not any(cache.is_sliding)
