"""Assisted generation with a language model that sees no pictures, such as a small Llama beside Vicuna."""

import torch
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.generation import AssistedCandidateGenerator


def is_text_model(assistant: PreTrainedModel | None) -> bool:
    """Whether an assistant reads text only."""
    return assistant is not None and "image" not in assistant.input_modalities


def without_images(model_kwargs: dict, image_positions: torch.Tensor | None = None) -> dict:
    """What a text model can take of the arguments of a multimodal one, with the positions of images masked."""
    model_kwargs = {name: value for name, value in model_kwargs.items() if name != "mm_encoder_outputs"}
    if image_positions is not None and (mask := model_kwargs.get("attention_mask")) is not None:
        model_kwargs["attention_mask"] = mask.masked_fill(image_positions, 0)
    return model_kwargs


class TextCandidateGenerator(AssistedCandidateGenerator):
    """
    Candidates of a text model, which does not attend to the positions of images.

    Args:
        image_token_id (`int`): the placeholder; the assistant need not have it in its vocabulary.
        vocab_size (`int`): of the main model.
        input_ids, model_kwargs, kwargs: as for [`AssistedCandidateGenerator`].
    """

    def __init__(self, *, image_token_id: int, vocab_size: int, input_ids, model_kwargs, **kwargs):
        model_kwargs = without_images(model_kwargs, input_ids == image_token_id)
        super().__init__(input_ids=input_ids, model_kwargs=model_kwargs, **kwargs)
        self.image_token_id = image_token_id
        self.vocab_size = vocab_size

    def get_candidates(self, input_ids, **kwargs):
        seen = input_ids.masked_fill(input_ids == self.image_token_id, 0)  # masked: any id in its vocabulary
        candidates, logits = super().get_candidates(seen, **kwargs)
        candidates = torch.cat((input_ids, candidates[:, input_ids.shape[1] :].to(input_ids.device)), dim=1)
        if logits is not None:
            logits = functional.pad(logits, (0, self.vocab_size - logits.shape[-1]), value=-torch.inf)
        return candidates, logits
