"""Configuration of MiniGPT-4 and MiniGPT-v2."""

from dataclasses import field

from huggingface_hub.dataclasses import strict
from transformers import Blip2QFormerConfig, Blip2VisionConfig
from transformers.configuration_utils import PreTrainedConfig, SubConfigSpec
from transformers.models.auto import AutoConfig


# Where the classes are in a saved folder, for those who load it with `trust_remote_code=True`.
AUTO_MAP = {
    "AutoConfig": "configuration_minigpt4.MiniGPT4Config",
    "AutoModel": "modeling_minigpt4.MiniGPT4Model",
    "AutoModelForCausalLM": "modeling_minigpt4.MiniGPT4ForConditionalGeneration",  # `pipeline("text-generation")`
    "AutoModelForImageTextToText": "modeling_minigpt4.MiniGPT4ForConditionalGeneration",
    "AutoModelForMultimodalLM": "modeling_minigpt4.MiniGPT4ForConditionalGeneration",
    "AutoModelForPreTraining": "modeling_minigpt4.MiniGPT4ForConditionalGeneration",
}


@strict
class MiniGPT4Config(PreTrainedConfig):
    r"""
    Configuration of a [`MiniGPT4ForConditionalGeneration`]: a vision tower, an optional Q-Former, a linear projection
    and a language model. The defaults give MiniGPT-4 (https://huggingface.co/papers/2304.10592) with EVA ViT-g/14,
    BLIP-2's Q-Former and a LLaMA of 7B shapes; MiniGPT-v2 (https://huggingface.co/papers/2310.09478) has no Q-Former.

    Args:
        vision_config (`Blip2VisionConfig` or `dict`, *optional*):
            The vision tower. Its `layer_norm_eps` (1e-6) is the blocks'; the LayerNorm after the tower always has 1e-5.
        qformer_config (`Blip2QFormerConfig` or `dict` or `None`, *optional*, defaults to BLIP-2's):
            The Q-Former; an explicit `None` means that the projection reads the patches of the vision tower.
            `encoder_hidden_size` always follows `vision_config.hidden_size`.
        text_config (`PreTrainedConfig` or `dict`, *optional*, defaults to a LLaMA 7B with 32001 rows):
            A causal language model of transformers with `embed_tokens`, a plain `lm_head` and transformers' own cache.
        num_query_tokens (`int`, *optional*, defaults to 32):
            Queries of the Q-Former, which are the tokens of an image in the prompt. Unused without a Q-Former.
        token_merge_size (`int`, *optional*, defaults to 4 without a Q-Former, else 1):
            How many consecutive patches (raster order) are concatenated into one token before the projection.
        projector_num_layers (`int`, *optional*, defaults to 1):
            Linear layers of the projection: 1 as published, 3 in ablation (b) of the MiniGPT-4 paper.
        image_token_id (`int`, *optional*, defaults to the last row of the vocabulary):
            Id of the image placeholder. It has a row in the embeddings, and is never predicted.

    Raises:
        `ValueError`: if `vision_config` or `qformer_config` is of another type than BLIP-2's, the language model has
            parts of its own, or sizes do not fit each other.

    Example:

    ```python
    >>> from minigpt4 import MiniGPT4Config

    >>> MiniGPT4Config().num_image_tokens
    32
    >>> MiniGPT4Config(vision_config={"image_size": 448}, qformer_config=None).num_image_tokens
    256
    ```
    """

    model_type = "minigpt4"
    _auto_class = "AutoConfig"  # so that the code is saved too
    sub_configs_defaults = {
        "vision_config": SubConfigSpec(config_class=Blip2VisionConfig),
        "qformer_config": SubConfigSpec(config_class=Blip2QFormerConfig, optional=True),
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="llama", init_kwargs={"vocab_size": 32001}),
    }

    vision_config: dict | PreTrainedConfig | None = None
    qformer_config: dict | PreTrainedConfig | None = field(default_factory=dict)
    text_config: dict | PreTrainedConfig | None = None
    num_query_tokens: int = 32
    token_merge_size: int | None = None
    projector_num_layers: int = 1
    image_token_id: int | None = None
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs):
        self._refuse_other_towers()
        super().__post_init__(**kwargs)
        # Also where none was saved, as with nano: TRL finds the class of a model there that is not in transformers.
        if getattr(self, "auto_map", None) is None:
            self.auto_map = dict(AUTO_MAP)
        if self.qformer_config is not None:
            self.qformer_config.encoder_hidden_size = self.vision_config.hidden_size
        if self.token_merge_size is None:
            self.token_merge_size = 4 if self.qformer_config is None else 1
        self._refuse_parts_that_do_not_fit()
        if self.image_token_id is None:
            self.image_token_id = self.text_config.vocab_size - 1
        # Tying is a choice of the language model, but transformers reads it from the outermost configuration.
        if getattr(self.text_config, "tie_word_embeddings", False):
            self.tie_word_embeddings = True

    def save_pretrained(self, save_directory, push_to_hub: bool = False, **kwargs):
        """See `PreTrainedConfig.save_pretrained`. The code of this configuration goes into the folder, too."""
        self.auto_map = dict(AUTO_MAP)  # transformers notes only the class that is being saved
        super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)

    def _refuse_other_towers(self) -> None:
        """Before transformers reads the fields of any tower as BLIP-2's."""
        for name in ("vision_config", "qformer_config"):
            given, supported = getattr(self, name), self.sub_configs[name].model_type
            model_type = given.get("model_type", supported) if isinstance(given, dict) else given and given.model_type
            if model_type and model_type != supported:
                raise ValueError(
                    f"{name} is of type {model_type!r}, which MiniGPT-4 does not support: it must be {supported!r}."
                )

    def _refuse_parts_that_do_not_fit(self) -> None:
        if parts := [*self.text_config.sub_configs]:
            raise ValueError(
                f"The language model {self.text_config.model_type!r} has parts of its own ({', '.join(parts)}): "
                "MiniGPT-4 needs one like LLaMA, give its text part alone."
            )
        vision = self.vision_config
        if not isinstance(vision.image_size, int) or not isinstance(vision.patch_size, int):
            raise ValueError(
                f"image_size is {vision.image_size} and patch_size {vision.patch_size}: images are square, so both must be integers."
            )
        if self.projector_num_layers < 1:
            raise ValueError(f"projector_num_layers must be at least 1 (got {self.projector_num_layers}).")
        if self.token_merge_size < 1:
            raise ValueError(
                f"token_merge_size must be at least 1, which merges nothing (got {self.token_merge_size})."
            )
        if self.qformer_config is not None:
            if self.token_merge_size != 1:
                raise ValueError(
                    f"token_merge_size is {self.token_merge_size}, but a Q-Former's queries are not merged: use 1, "
                    "or qformer_config=None."
                )
        elif self.num_patches % self.token_merge_size:
            raise ValueError(
                f"The {self.num_patches} patches of an image of {vision.image_size} pixels cannot be "
                f"merged by {self.token_merge_size}: choose an image_size with a divisible number, or a token_merge_size that divides it."
            )

    @property
    def num_patches(self) -> int:
        """Patches of one image at `vision_config.image_size`, without the class token."""
        return (self.vision_config.image_size // self.vision_config.patch_size) ** 2

    @property
    def num_image_tokens(self) -> int:
        """Tokens that one image takes in a prompt, at `vision_config.image_size`."""
        return self.num_query_tokens if self.qformer_config is not None else self.num_patches // self.token_merge_size

    @property
    def projector_input_size(self) -> int:
        """Width of what the projection reads."""
        if self.qformer_config is not None:
            return self.qformer_config.hidden_size
        return self.vision_config.hidden_size * self.token_merge_size


__all__ = ["MiniGPT4Config"]
