"""The feature cache: the projection's input for each image, computed once by the frozen towers."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import torch
from accelerate import PartialState
from peft import PeftModel
from rich.console import Console
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader, IterableDataset
from transformers import PreTrainedModel, ProcessorMixin

from minigpt4.checkpoints.writing import unfinished_file
from minigpt4.modeling_minigpt4 import MiniGPT4Model
from minigpt4.processing.image_loading import load_image
from minigpt4.training.arguments import StageArguments
from minigpt4.training.masks import apply_mask
from minigpt4.training.model import load_model, load_processor
from minigpt4.training.recipe import Recipe
from minigpt4.training.row import row_images

from .readers import Share
from .rows import Rows
from .sources import load_eval_rows, load_train_rows


NOTE = "features.json"
# Settings of which features do not depend; weights' dtypes are looked at one by one.
SILENT = ("transformers_version", "architectures", "dtype", "initializer_range", "_name_or_path", "processor_class")
TOWERS = ("vision_tower.", "vision_layer_norm.", "qformer.", "query_tokens")
SHARD_IMAGES = 1024  # at most these are lost when caching is stopped
AGAIN = "minigpt4 cache-features with this recipe"


class FeatureCache:
    """
    Vision features by the content of the image: `DIR/*.safetensors` with one tensor for each image, and `DIR/features.json`
    that records which towers, image processor and precision made them.

    Args:
        folder (`str` or `Path`): from [`cache_features`].

    Raises:
        FileNotFoundError: there is no cache.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        if not (self.folder / NOTE).is_file():
            raise FileNotFoundError(f"There is no feature cache in {folder}: run {AGAIN} first.")
        self.made_by: dict[str, str] = json.loads((self.folder / NOTE).read_text(encoding="utf-8"))
        self.files: dict[str, Path] = {}
        for file in self.folder.glob("*.safetensors"):
            with safe_open(file, "pt") as shard:
                self.files |= dict.fromkeys(shard.keys(), file)

    def __len__(self) -> int:
        return len(self.files)

    def __contains__(self, key: str) -> bool:
        return key in self.files

    def read(self, images: Sequence) -> torch.Tensor:
        """
        Features of images in any form that the processor takes.

        Returns:
            `torch.Tensor` of shape `(num_images, num_image_tokens, projector_input_size)`, bit-identical to the output of the towers.

        Raises:
            ValueError: an image is not in the cache.
        """
        features = []
        for image in map(load_image, images):
            key = image_key(image)
            if key not in self:
                raise ValueError(
                    f"An image of {image.width} x {image.height} pixels is not among the {len(self)} in the feature "
                    f"cache {self.folder}: run {AGAIN}, which adds what is missing."
                )
            features.append(_open(self.files[key]).get_tensor(key))
        return torch.stack(features)

    def refuse_if_stale(self, made_by: Mapping[str, str]) -> None:
        """
        Make sure that the features would be the same now.

        Raises:
            ValueError: they were made by other towers, another image processor or in another precision.
        """
        for what, now in made_by.items():
            if self.made_by.get(what) != now:
                raise ValueError(
                    f"The feature cache {self.folder} is stale: its {what} was {self.made_by.get(what)}, and is {now} "
                    f"now. Run {AGAIN} into another folder."
                )


# Here, not in the object, which goes to the workers of a data loader.
@cache
def _open(file: Path):
    return safe_open(file, "pt")


def image_key(image) -> str:
    """A hash of the pixels of an image in RGB, whatever their file format."""
    digest = hashlib.sha256(f"{image.width} {image.height} ".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()[:32]


def describe_makers(model: PreTrainedModel, processor: ProcessorMixin, args: StageArguments) -> dict[str, str]:
    """What features of `model` depend on: a checksum of its towers, that of the image processor's settings, precision."""
    config, towers = model.config, hashlib.sha256()
    for part in (config.vision_config, config.qformer_config):
        towers.update(_settings(part))
    towers.update(f"{config.num_image_tokens} {config.token_merge_size}".encode())
    if config.vision_feature_layer != -1:
        towers.update(f"layer {config.vision_feature_layer}".encode())
    for name, tensor in _tower_parameters(model):
        towers.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        towers.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return {
        "precision": "bfloat16" if args.bf16 else "float16" if args.fp16 else "float32",
        "checksum of the towers": towers.hexdigest()[:16],
        "checksum of the image processor's settings": hashlib.sha256(_settings(processor.image_processor)).hexdigest()[
            :16
        ],
    }


def open_features(model: PreTrainedModel, processor: ProcessorMixin, args: StageArguments) -> FeatureCache | None:
    """
    The cache that `args.features` names, or `None` if it names none.

    Raises:
        FileNotFoundError: there is no cache.
        ValueError: it was made by other towers or settings, or the mask trains the towers.
    """
    if not args.features:
        return None
    _refuse_learned_towers(model, args)
    cache = FeatureCache(args.features)
    cache.refuse_if_stale(describe_makers(model, processor, args))
    return cache


def cache_features(recipe: Recipe) -> FeatureCache:
    """
    Run the towers over each image that a recipe trains or evaluates on, and store their output.

    What is in `recipe.args.features` already is left as it is, so that an interrupted run resumes. Each process of
    `accelerate launch` does its part. Images that a [`Mixture`] will count as missing or damaged are left to it.

    Raises:
        ValueError: the recipe names no folder, trains the towers, or the folder contains features of other towers.
    """
    args = recipe.args
    if not args.features:
        raise ValueError("The recipe has no folder for features: use --set features=FOLDER.")
    data = [rows for rows in (load_train_rows(recipe.data), load_eval_rows(recipe.data)) if rows is not None]
    processor, model = load_processor(recipe.model), load_model(recipe.model, bf16=args.bf16)
    apply_mask(model, args.mask)
    _refuse_learned_towers(model, args)
    folder, made_by = Path(args.features), describe_makers(model, processor, args)
    with PartialState().main_process_first():
        if not (folder / NOTE).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            with unfinished_file(folder / NOTE) as part:
                part.write_text(json.dumps(made_by, indent=2), encoding="utf-8")
    cache = FeatureCache(folder)
    cache.refuse_if_stale(made_by)

    towers = _towers(model)
    towers.language_model = None  # it takes most of the memory, and has nothing to do here
    towers.to(args.device).eval()
    images = _Images(data, processor, cache, args.process_index, args.world_size)
    loader = DataLoader(images, args.per_device_train_batch_size, num_workers=args.dataloader_num_workers)
    made: dict[str, torch.Tensor] = {}
    precision = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(made_by["precision"])
    for batch in track(loader, "Features", console=Console(stderr=True), disable=args.disable_tqdm):
        with torch.no_grad(), torch.autocast(args.device.type, precision, enabled=precision is not None):
            features = towers.get_vision_features(batch["pixel_values"].to(args.device)).pooler_output
        made |= zip(batch["key"], features.cpu().unbind(), strict=True)
        if len(made) >= SHARD_IMAGES:
            _save_shard(folder, made)
            made = {}
    if made:
        _save_shard(folder, made)
    PartialState().wait_for_everyone()  # or what the others made is not seen
    return FeatureCache(folder)


class _Images(IterableDataset):
    """The images of data sets that are not cached yet, each once, as `key` and `pixel_values`: the part of one process."""

    def __init__(self, data: Sequence[Rows], processor: ProcessorMixin, cache: FeatureCache, rank: int, ranks: int):
        self.data, self.processor, self.cache, self.rank, self.ranks = data, processor, cache, rank, ranks

    def __iter__(self) -> Iterator[dict]:
        seen: set[str] = set()
        for data in self.data:
            for row in data.each_once(Share.of_worker(self.rank, self.ranks)):
                try:
                    images = [load_image(image) for image in row_images(row)]
                except (FileNotFoundError, ValueError):
                    if not data.counts_lost:
                        raise
                    continue
                for image in images:
                    if (key := image_key(image)) not in self.cache and key not in seen:
                        seen.add(key)
                        pixels = self.processor.image_processor(image, return_tensors="pt")["pixel_values"][0]
                        yield {"key": key, "pixel_values": pixels}


def _save_shard(folder: Path, features: dict[str, torch.Tensor]) -> None:
    # Two processes may begin with the same image; where they have all in common, the files are the same.
    name = f"{hashlib.sha256(''.join(sorted(features)).encode()).hexdigest()[:32]}.safetensors"
    with unfinished_file(folder / name) as part:
        save_file({key: tensor.contiguous() for key, tensor in features.items()}, part)


def _towers(model: PreTrainedModel) -> MiniGPT4Model:
    return (model.get_base_model() if isinstance(model, PeftModel) else model).model  # type: ignore[return-value]


def _tower_parameters(model: PreTrainedModel) -> Iterator[tuple[str, torch.Tensor]]:
    return (item for item in _towers(model).named_parameters() if item[0].startswith(TOWERS))


def _refuse_learned_towers(model: PreTrainedModel, args: StageArguments) -> None:
    for name, parameter in _tower_parameters(model):
        if parameter.requires_grad:
            raise ValueError(
                f"The mask {args.mask!r} trains {name}, so that features change with every step and cannot be cached in "
                f"{args.features}: leave features out, or take another mask."
            )


def _settings(part) -> bytes:
    """A configuration or an image processor without the settings that do not affect its outputs."""
    settings = {name: value for name, value in (part.to_dict() if part else {}).items() if name not in SILENT}
    return json.dumps(settings, sort_keys=True, default=str).encode()
