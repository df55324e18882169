"""A source under the names that its tensors have in transformers: transformers' own weight conversion, a tensor at a time."""

import copy
import re
from functools import partial

import torch
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, dot_natural_key, rename_source_key

from .sources import Source


class RenamedSource(Source):
    """
    A source as transformers would load it: the same tensors, renamed, joined or split as a model of transformers needs them.

    Keys that the model has no place for keep their names, so that a plan finds them; those that transformers itself passes
    over are left out.

    Args:
        source (`Source`): what is on the disk.
        model (`PreTrainedModel`): the model that the tensors belong to, on the meta device.

    Attributes:
        prefix (`str`): in front of the model's names in the source, where that holds more than the model.
    """

    def __init__(self, source: Source, model: PreTrainedModel):
        self.path, self.settings = source.path, source.settings
        self.files, self.meta = {}, {}
        self.prefix = ""
        self._source, self._model = source, model
        self._plain: dict[str, str] = {}
        # The first name that a conversion makes -> its parts, each with the pattern that it matched.
        self._parts: dict[str, list[tuple[str, str]]] = {}
        self._made_with: dict[str, str] = {}
        transforms = get_model_conversion_mapping(model)
        self._renamings = [each for each in transforms if isinstance(each, WeightRenaming)]
        self._converters = [each for each in transforms if isinstance(each, WeightConverter)]
        self._by_pattern = {pattern: each for each in self._converters for pattern in each.source_patterns}
        wanted = model.state_dict()
        for key in sorted(source.meta, key=dot_natural_key):
            self._place(key, wanted)
        for first, parts in self._parts.items():
            for name, tensor in self._convert(first, source.meta).items():
                self._made_with[name] = first
                self.meta[name], self.files[name] = tensor, source.files[parts[0][1]]

    def read(self, key: str) -> torch.Tensor:
        """See [`Source`]."""
        if key in self._made_with:
            return self._convert(self._made_with[key])[key]
        return self._source.read(self._plain[key])

    def close(self) -> None:
        """See [`Source`]."""
        self._source.close()

    def _place(self, key: str, wanted: dict[str, torch.Tensor]) -> None:
        base = self._model.base_model_prefix
        name, pattern = rename_source_key(key, self._renamings, self._converters, base, wanted)
        if name not in wanted and key in wanted:
            name, pattern = rename_source_key(key, [], [], base, wanted)
        if name in wanted and pattern is not None:
            self._parts.setdefault(name, []).append((pattern, key))
            return
        if name not in wanted:
            if any(re.search(ignored, key) for ignored in self._model._keys_to_ignore_on_load_unexpected or ()):
                return
            name = key
        elif key != name and key.endswith(f".{name}"):
            self.prefix = key.removesuffix(name)
        self._plain[name] = key
        self.meta[name], self.files[name] = self._source.meta[key], self._source.files[key]

    def _convert(self, first: str, tensors: dict[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
        """What a conversion makes, by name: of `tensors`, or of what is on the disk."""
        parts = self._parts[first]
        converter = copy.deepcopy(self._by_pattern[parts[0][0]])
        read = self._source.read if tensors is None else tensors.__getitem__
        for pattern, key in parts:
            converter.add_tensor(first, key, pattern, partial(read, key))  # called later
        made = converter.convert(first, model=self._model, config=self._model.config)
        return {name: value[0] if isinstance(value, list) else value for name, value in made.items()}
