"""Configuration of MiniGPT-4 and MiniGPT-v2."""

from contextlib import suppress
from dataclasses import field

from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import StrictDataclassError
from transformers import Blip2QFormerConfig, Blip2VisionConfig
from transformers.configuration_utils import PreTrainedConfig, SubConfigSpec
from transformers.models.auto import CONFIG_MAPPING, AutoConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES,
)


# Where the classes are in a saved folder, for those who load it with `trust_remote_code=True`.
AUTO_MAP = {
    "AutoConfig": "configuration_minigpt4.MiniGPT4Config",
    "AutoModel": "modeling_minigpt4.MiniGPT4Model",
    "AutoModelForCausalLM": "modeling_minigpt4.MiniGPT4ForConditionalGeneration",  # `pipeline("text-generation")`
    "AutoModelForImageTextToText": "modeling_minigpt4.MiniGPT4ForConditionalGeneration",
    "AutoModelForMultimodalLM": "modeling_minigpt4.MiniGPT4ForConditionalGeneration",
    "AutoModelForPreTraining": "modeling_minigpt4.MiniGPT4ForConditionalGeneration",
}
# Where `transformers serve`, pipelines and TRL look up by its type what a model is, also where this file is remote code.
MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.setdefault("minigpt4", "MiniGPT4ForConditionalGeneration")
MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES.setdefault("minigpt4", "MiniGPT4ForConditionalGeneration")


@strict
class MiniGPT4Config(PreTrainedConfig):
    r"""
    Configuration of a [`MiniGPT4ForConditionalGeneration`]: a vision tower, an optional Q-Former, a linear projection
    and a language model. The defaults give MiniGPT-4 (https://huggingface.co/papers/2304.10592) with EVA ViT-g/14,
    BLIP-2's Q-Former and a LLaMA of 7B shapes; MiniGPT-v2 (https://huggingface.co/papers/2310.09478) has no Q-Former.

    Args:
        vision_config (`PreTrainedConfig` or `dict`, *optional*, defaults to BLIP-2's EVA ViT-g/14):
            The vision tower: any of transformers that gives a token for each patch of a square picture, as CLIP, SigLIP,
            DINOv2, DINOv3 and ViT do. Of BLIP-2's, `layer_norm_eps` (1e-6) is the blocks'; the LayerNorm at its end always
            has 1e-5.
        qformer_config (`Blip2QFormerConfig` or `dict` or `None`, *optional*, defaults to BLIP-2's):
            The Q-Former; an explicit `None` means that the projection reads the patches of the vision tower.
            `encoder_hidden_size` always follows `vision_config.hidden_size`. It reads class and register tokens, too.
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
        picture_size (`int`, *optional*, defaults to `vision_config.image_size`):
            Pixels of a side of the pictures. A tower of another size interpolates its position embeddings in each step.
        vision_feature_layer (`int`, *optional*, defaults to -1):
            Which output of the tower is read: -1 is its last, after its own LayerNorm where it has one there; any other is
            an index into its `hidden_states`, of which 0 are the embeddings.
        vision_prefix_tokens (`int`, *optional*, defaults to what the tower has):
            Class and register tokens in front of the patches, which the projection does not read.
        vision_layer_norm (`bool`, *optional*, defaults to `False`):
            Whether a LayerNorm of this model's own follows the tower, as `ln_vision` does in BLIP-2, whose tower has it.

    Raises:
        `ValueError`: if `vision_config` is of no tower with square pictures and patches, `qformer_config` is of another
            type than BLIP-2's, the language model has parts of its own, or sizes do not fit each other.

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
        "vision_config": SubConfigSpec(config_class=AutoConfig, model_type=Blip2VisionConfig.model_type),
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
    picture_size: int | None = None
    vision_feature_layer: int = -1
    vision_prefix_tokens: int | None = None
    vision_layer_norm: bool = False

    def __post_init__(self, **kwargs):
        self._refuse_other_qformers()
        self._refuse_unknown_towers()
        super().__post_init__(**kwargs)
        # Also where none was saved, as with nano: TRL finds the class of a model there that is not in transformers.
        if getattr(self, "auto_map", None) is None:
            self.auto_map = dict(AUTO_MAP)
        self._refuse_towers_without_a_grid()
        if isinstance(self.vision_config, Blip2VisionConfig) and self.vision_prefix_tokens is None:
            self.vision_prefix_tokens = 1  # others are counted when the model is made
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

    def to_diff_dict(self) -> dict:
        """What is saved. The published models are saved as they were before there were other towers."""
        saved = super().to_diff_dict()
        usual = {"picture_size": None, "vision_feature_layer": -1, "vision_layer_norm": False}
        if isinstance(self.vision_config, Blip2VisionConfig):
            usual["vision_prefix_tokens"] = 1
        return {name: value for name, value in saved.items() if name not in usual or value != usual[name]}

    def _refuse_other_qformers(self) -> None:
        """Before transformers reads the fields of any other one as BLIP-2's."""
        given, supported = self.qformer_config, Blip2QFormerConfig.model_type
        model_type = given.get("model_type", supported) if isinstance(given, dict) else given and given.model_type
        if model_type and model_type != supported:
            raise ValueError(
                f"qformer_config is of type {model_type!r}, which MiniGPT-4 does not support: it must be {supported!r}."
            )

    def _refuse_unknown_towers(self) -> None:
        model_type = self.vision_config.get("model_type") if isinstance(self.vision_config, dict) else None
        if model_type and model_type not in CONFIG_MAPPING:
            raise ValueError(f"vision_config is of type {model_type!r}, which transformers does not have.")

    def _refuse_towers_without_a_grid(self) -> None:
        vision = self.vision_config
        name = f"The vision tower {vision.model_type!r}"
        if "vision_config" in vision.sub_configs:
            raise ValueError(f"{name} is a whole model: give the vision_config in it alone.")
        for field_name in ("image_size", "patch_size"):
            size = getattr(vision, field_name, None)
            if isinstance(size, list | tuple) and len(set(size)) == 1:
                with suppress(StrictDataclassError):  # a type that takes no other than two sides
                    setattr(vision, field_name, size[0])
            elif size is None:
                raise ValueError(
                    f"{name} has no {field_name}: MiniGPT-4 needs one that reads square pictures in patches."
                )
        if not isinstance(vision.image_size, int) or not isinstance(vision.patch_size, int):
            raise ValueError(
                f"image_size is {vision.image_size} and patch_size {vision.patch_size}: images are square, so both must be integers."
            )
        if not isinstance(getattr(vision, "hidden_size", None), int):
            raise ValueError(f"{name} has no hidden_size: MiniGPT-4 needs one whose tokens all have the same width.")
        if getattr(vision, "num_channels", 3) != 3:
            raise ValueError(f"{name} reads {vision.num_channels} channels: pictures have 3.")
        if self.image_size < vision.patch_size:
            raise ValueError(f"An image of {self.image_size} pixels is smaller than a patch ({vision.patch_size}).")
        if self.vision_layer_norm and isinstance(vision, Blip2VisionConfig):
            raise ValueError(f"{name} ends in a LayerNorm of its own: leave vision_layer_norm out.")

    def _refuse_parts_that_do_not_fit(self) -> None:
        if parts := [*self.text_config.sub_configs]:
            raise ValueError(
                f"The language model {self.text_config.model_type!r} has parts of its own ({', '.join(parts)}): "
                "MiniGPT-4 needs one like LLaMA, give its text part alone."
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
                f"The {self.num_patches} patches of an image of {self.image_size} pixels cannot be merged by "
                f"{self.token_merge_size}: take images of {self._sizes_that_merge()} pixels, or a token_merge_size of "
                f"{self._merges_that_divide()}."
            )

    def _sizes_that_merge(self) -> str:
        """The nearest smaller and larger size of an image whose patches can be merged."""
        patch, merge, side = (
            self.vision_config.patch_size,
            self.token_merge_size,
            self.image_size // self.vision_config.patch_size,
        )
        smaller = next((n for n in range(side, 0, -1) if n * n % merge == 0), None)
        larger = next(n for n in range(side, side + merge + 1) if n * n % merge == 0)
        return " or ".join(str(n * patch) for n in (smaller, larger) if n is not None)

    def _merges_that_divide(self) -> str:
        *first, last = (str(n) for n in range(1, 65) if self.num_patches % n == 0)
        return f"{', '.join(first)} or {last}" if first else last

    @property
    def image_size(self) -> int:
        """Pixels of a side of the pictures that the model reads."""
        return self.vision_config.image_size if self.picture_size is None else self.picture_size

    @property
    def num_patches(self) -> int:
        """Patches of one image at `image_size`, without class and register tokens."""
        return (self.image_size // self.vision_config.patch_size) ** 2

    @property
    def num_image_tokens(self) -> int:
        """Tokens that one image takes in a prompt, at `image_size`."""
        return self.num_query_tokens if self.qformer_config is not None else self.num_patches // self.token_merge_size

    @property
    def projector_input_size(self) -> int:
        """Width of what the projection reads."""
        if self.qformer_config is not None:
            return self.qformer_config.hidden_size
        return self.vision_config.hidden_size * self.token_merge_size
