"""Keys and values of what a model has read, kept for the next prompt with the same beginning."""

import copy
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import ref

from transformers import DynamicCache
from transformers.generation import GenerationMode

from minigpt4.inference.batch_cache import keeps_all_positions


if TYPE_CHECKING:
    from transformers import Cache, GenerationConfig, PreTrainedConfig


# A page has many chats, and the cache of a long one takes a gigabyte with a model of 7 billion parameters: so many are kept
# if they are short, and together no more positions than so many of the longest have.
MOST_KEPT, LONGEST_KEPT = 16, 4
POSITIONS = 4096  # of the longest, where the language model has no limit


class PromptCache:
    """
    The key-value cache of one conversation, reused for prompts with the same beginning.

    The cache is keyed by content, not by position in the chat: each prompt takes the part that it begins with, so turns
    may be edited, answered again or left out, and a prompt that is tokenized differently from what was generated costs the
    difference only. The most recently used caches are kept, 16 short or 4 long ones; the others are dropped, and their prompts
    read again.

    Args:
        config (`PreTrainedConfig`): of the language model; its layers decide the kind of cache.
    """

    _used_last: "ClassVar[list[ref[PromptCache]]]" = []
    _lock: ClassVar[Lock] = Lock()

    def __init__(self, config: "PreTrainedConfig") -> None:
        self._config = config
        self.clear()

    def clear(self) -> None:
        """Forget everything that was read."""
        self._kept: tuple[list[int], Cache | None] = [], None

    def copy(self) -> "PromptCache":
        """An independent copy."""
        twin = PromptCache(self._config)
        read, cache = self._kept
        twin._kept = [*read], None if cache is None else _copied(cache)  # one without layers is false
        return twin

    def shared(self, prompt: Sequence[int]) -> int:
        """How many positions of `prompt`, without its last one, need not be read again."""
        read = self._kept[0]
        pairs = enumerate(zip(read, prompt[:-1], strict=False))
        return next((index for index, (old, new) in pairs if old != new), min(len(read), len(prompt) - 1))

    def take(self, prompt: Sequence[int]) -> "Cache":
        """
        The cache of the beginning that `prompt` shares with what was read, or an empty one.

        What is taken is gone until `keep` returns it: a generation that fails half-way leaves no cache behind.

        Args:
            prompt (`Sequence[int]`):
                A number for each position: a token's id, or one that identifies an image. At least the last position
                is left to be read.
        """
        shared = self.shared(prompt)
        read, cache = self._kept
        self.clear()
        surplus = len(read) - shared
        if cache is None or shared == 0 or (surplus and not _can_be_cut(cache)):
            return DynamicCache(config=self._config)
        if surplus:
            cache.crop(-surplus)
        return cache

    def keep(self, read: Sequence[int], cache: "Cache") -> None:
        """Keep the cache of `read`; positions behind the cache's length, as of a last token, are left out."""
        self._kept = list(read[: cache.get_seq_length()]), cache
        limit = LONGEST_KEPT * (getattr(self._config, "max_position_embeddings", None) or POSITIONS)
        with self._lock:
            known = [other for each in self._used_last if (other := each()) not in (None, self)]
            kept, total = [self], len(self._kept[0])
            for other in reversed(known):
                length = len(other._kept[0])
                if len(kept) == MOST_KEPT or total + length > limit:
                    other.clear()
                elif length:
                    kept.append(other)
                    total += length
            self._used_last[:] = [ref(each) for each in reversed(kept)]


def may_be_shared(config: "GenerationConfig", assistant_model: Any = None) -> bool:
    """
    Whether a generation can go on with a cache of another, or needs one of its own.

    Args:
        config (`GenerationConfig`): all settings of the generation.
    """
    # Assisted generation reads its whole prompt at any rate, behind what the cache holds of it.
    step_by_step = config.get_generation_mode(assistant_model) in (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE)
    one = (config.num_return_sequences or 1) == 1
    return step_by_step and one and not config.cache_implementation and config.use_cache is not False


def _copied(cache: "Cache") -> "Cache":
    if not keeps_all_positions(cache):
        return copy.deepcopy(cache)
    # Such layers never write into the keys and values that they hold: both may hold the same.
    twin = copy.copy(cache)
    twin.layers = [copy.copy(layer) for layer in cache.layers]
    return twin


def _can_be_cut(cache: "Cache") -> bool:
    # A sliding window has lost what stood before it.
    return cache.is_croppable and not any(cache.is_sliding)
