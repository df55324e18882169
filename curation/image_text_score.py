"""How well images and texts go together, by a model such as CLIP or SigLIP."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModel, AutoProcessor

from minigpt4.checkpoints.identity import first_line


if TYPE_CHECKING:
    from PIL.Image import Image


class ImageTextScore:
    """
    Cosine between the features of an image and those of a text.

    Args:
        name (`str`): folder or Hub id of a model with `get_image_features` and `get_text_features`.
        trust_remote_code (`bool`): run code that comes with it.

    Raises:
        ValueError: there is no such model, or it is not of that kind.
    """

    def __init__(self, name: str, trust_remote_code: bool = False) -> None:
        try:
            self.model = AutoModel.from_pretrained(name, trust_remote_code=trust_remote_code, device_map="auto").eval()
            self.processor: Any = AutoProcessor.from_pretrained(name, trust_remote_code=trust_remote_code)
        except Exception as error:
            raise ValueError(f"cannot load {name} to score images and texts: {first_line(error)}") from error
        if not (hasattr(self.model, "get_image_features") and hasattr(self.model, "get_text_features")):
            raise ValueError(f"{name} has no features of images and texts: give a model such as CLIP or SigLIP.")

    @torch.no_grad()
    def __call__(self, images: "Sequence[Image]", texts: Sequence[str]) -> list[float]:
        """The score of each image with its text, between -1 and 1. Of a long text it reads the beginning."""
        inputs = self.processor(
            text=list(texts), images=list(images), padding=True, truncation=True, return_tensors="pt"
        ).to(self.model.device)
        seen = _features(self.model.get_image_features(pixel_values=inputs["pixel_values"]))
        words = {key: inputs[key] for key in ("input_ids", "attention_mask") if key in inputs}
        read = _features(self.model.get_text_features(**words))
        return torch.nn.functional.cosine_similarity(seen, read).tolist()


def _features(made: Any) -> torch.Tensor:
    return made if isinstance(made, torch.Tensor) else made.pooler_output
