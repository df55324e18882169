"""Keys and values of rows that came at different times, in one cache: padded on the left, so that all end together."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer


ROOM = 64  # positions that are added at once, so that not every step copies what there is


def keeps_all_positions(cache: Cache) -> bool:
    """Whether all layers of a cache keep all positions: others, such as sliding windows, do not line up."""
    return bool(cache.layers) and all(type(layer) is DynamicLayer for layer in cache.layers)


class BatchCache:
    """
    The caches of some rows as one.

    Attributes:
        cache (`DynamicCache`): what the language model takes; `None` without rows.
        bytes_per_position (`float`): of keys and values of one row; 0 before the first one joined.
    """

    def __init__(self) -> None:
        self.cache: DynamicCache | None = None
        self.bytes_per_position = 0.0
        self._layers: list[_RoomyLayer] = []
        self._lengths: list[int] = []  # of rows, without padding

    def join(self, cache: Cache) -> None:
        """Add a row, and empty its own cache."""
        length = cache.get_seq_length()
        if self.cache is None:
            self._layers = [_RoomyLayer() for _ in cache.layers]
            self.cache = DynamicCache()
            self.cache.layers = self._layers
        self.bytes_per_position = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers) / length
        for mine, new in zip(self._layers, cache.layers, strict=True):
            mine.pack([*mine.rows(self._lengths), (new.keys, new.values)])
            new.reset()
        self._lengths.append(length)

    def take_out(self, index: int, cache: Cache) -> None:
        """Give a row its own cache back, with all that it has read since. It stays until `keep` leaves it out."""
        for number, layer in enumerate(self._layers):
            cache.update(*layer.rows(self._lengths)[index], number)

    def keep(self, indices: Sequence[int]) -> None:
        """Keep these rows only, in this order."""
        for layer in self._layers if indices else ():
            rows = layer.rows(self._lengths)
            layer.pack([rows[index] for index in indices])
        self._lengths = [self._lengths[index] for index in indices]
        if not indices:
            self.cache = None

    def next_positions(self, device: torch.device) -> tuple[torch.Tensor | None, torch.Tensor]:
        """For a step of one token in each row: an attention mask, if there is any padding, and position ids."""
        lengths = torch.tensor(self._lengths, device=device)[:, None]
        longest = max(self._lengths)
        if min(self._lengths) == longest:
            return None, lengths
        return (torch.arange(longest + 1, device=device) >= longest - lengths).long(), lengths

    def stepped(self) -> None:
        """Each row has read one more position."""
        self._lengths = [length + 1 for length in self._lengths]


class _RoomyLayer(DynamicLayer):
    """Keys and values in front of free room."""

    keys: torch.Tensor
    values: torch.Tensor
    _blocks: list[torch.Tensor]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        begin = self.get_seq_length()
        end = begin + key_states.shape[-2]
        if end > self._blocks[0].shape[-2]:
            self._blocks = [_with_room(list(each.split(1)), begin) for each in (self.keys, self.values)]
        for block, states in zip(self._blocks, (key_states, value_states), strict=True):
            block[:, :, begin:end] = states
        self.keys, self.values = (block[:, :, :end] for block in self._blocks)
        return self.keys, self.values

    def rows(self, lengths: Sequence[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values of each row, without padding, as views."""
        return [
            (self.keys[row : row + 1, :, -length:], self.values[row : row + 1, :, -length:])
            for row, length in enumerate(lengths)
        ]

    def pack(self, rows: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Hold these rows, of any lengths, in place of what there was."""
        longest = max(keys.shape[-2] for keys, _ in rows)
        self._blocks = [_with_room(each, longest) for each in zip(*rows, strict=True)]
        self.keys, self.values = (block[:, :, :longest] for block in self._blocks)
        self.dtype, self.device, self.is_initialized = self.keys.dtype, self.keys.device, True


def _with_room(rows: Sequence[torch.Tensor], longest: int) -> torch.Tensor:
    """Rows of shape (1, heads, length, size), padded on the left with zeros, in front of room."""
    _, heads, _, size = rows[0].shape
    block = rows[0].new_zeros(len(rows), heads, longest + ROOM, size)
    for row, states in zip(block, rows, strict=True):
        row[:, longest - states.shape[-2] : longest] = states[0]
    return block
