"""MiniGPT-4 and MiniGPT-v2: a vision tower, an optional Q-Former, one linear projection and a language model."""

import warnings
from itertools import chain

import torch
from torch import nn
from transformers import Blip2QFormerModel
from transformers import initialization as init
from transformers.cache_utils import Cache
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.modeling_utils import PreTrainedModel, slice_logits_to_keep
from transformers.models.auto import AutoModel
from transformers.models.blip_2.modeling_blip_2 import BaseModelOutputWithVisionQformerOutputs
from transformers.models.llava.modeling_llava import LlavaCausalLMOutputWithPast, LlavaModelOutputWithPast
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, torch_compilable_check
from transformers.utils.generic import can_return_tuple

from .adapters_minigpt4 import CHECKPOINT_KWARGS, AdapterLoadingMixin
from .configuration_minigpt4 import MiniGPT4Config
from .ends_minigpt4 import read_ends_of_before
from .frozen_parts_minigpt4 import leave_frozen_parts_in_eval_mode
from .generation_minigpt4 import MiniGPT4GenerationMixin
from .language_model_minigpt4 import refuse_unsuitable_language_model
from .loss_minigpt4 import can_skip_logits, loss_without_logits
from .quantization_minigpt4 import quantize_language_model_only
from .vision_tower_minigpt4 import check_vision_tower, interpolates_on_demand, make_vision_tower, read_tokens


class MiniGPT4PreTrainedModel(AdapterLoadingMixin, PreTrainedModel):
    """Base class of the models: how weights are initialised, loaded and saved."""

    config: MiniGPT4Config
    config_class = MiniGPT4Config
    base_model_prefix = "model"
    input_modalities = ("image", "text")
    supports_gradient_checkpointing = True
    _skip_keys_device_placement = ["past_key_values"]
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, quantization_config=None, **kwargs):
        """
        See `PreTrainedModel.from_pretrained`.

        A `quantization_config` that does not say which modules to leave alone quantizes the language model only: the
        towers, the projection and the head stay as they are.
        """
        if quantization_config is not None:
            quantization_config = quantize_language_model_only(quantization_config)
        checkpoint_kwargs = {name: kwargs[name] for name in CHECKPOINT_KWARGS if name in kwargs}
        with warnings.catch_warnings():
            # accelerate, of a parameter that it placed by itself: "auto" splits the model around the queries.
            warnings.filterwarnings("ignore", r"The following device_map keys .*: \['(model\.)?query_tokens'\]$")
            loaded = super().from_pretrained(
                pretrained_model_name_or_path, *args, quantization_config=quantization_config, **kwargs
            )
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        model._checkpoint_kwargs = checkpoint_kwargs
        if model.can_generate():
            where = {"subfolder": kwargs.get("subfolder", ""), **checkpoint_kwargs}
            read_ends_of_before(model.generation_config, model.name_or_path, **where)
        return loaded

    @property
    def dtype(self) -> torch.dtype:
        """Of the language model, which is most of the model: loaded in float16, the Q-Former stays in float32."""
        return self.base_model.language_model.dtype

    def train(self, mode: bool = True):
        """
        See `torch.nn.Module.train`. Parts without a trainable parameter stay in eval mode, so that the dropout of a frozen
        Q-Former does not wake up.
        """
        super().train(mode)
        if mode:
            for child in self.children():
                leave_frozen_parts_in_eval_mode(child)
        return self

    @torch.no_grad()
    def _init_weights(self, module):
        super()._init_weights(module)
        if isinstance(module, MiniGPT4Model):
            if module.query_tokens is not None:
                init.normal_(module.query_tokens, std=self.config.qformer_config.initializer_range)
            # The original leaves its projection to PyTorch's initialisation of a Linear.
            for layer in module.multi_modal_projector.modules():
                if isinstance(layer, nn.Linear):
                    init.kaiming_uniform_(layer.weight, a=5**0.5)
                    init.uniform_(layer.bias, -(layer.in_features**-0.5), layer.in_features**-0.5)


class MiniGPT4Model(MiniGPT4PreTrainedModel):
    """
    The towers, the projection and the language model, without the language modeling head.

    `vision_tower` is a `Blip2VisionModel`, or what `AutoModel` gives for another `vision_config`; `vision_layer_norm` is
    `None` unless the configuration has it; `qformer` and `query_tokens` are `None` where the configuration has no
    Q-Former; `multi_modal_projector` is one `nn.Linear` (an `nn.Sequential` of them if `projector_num_layers > 1`);
    `language_model` is what `AutoModel` gives for `text_config`.
    """

    _auto_class = "AutoModel"  # so that the code is saved with the weights

    def __init__(self, config: MiniGPT4Config):
        super().__init__(config)
        check_vision_tower(config)
        self.vision_tower = make_vision_tower(config.vision_config)
        self._interpolates_on_demand = interpolates_on_demand(self.vision_tower)
        self.vision_layer_norm = None
        if config.vision_layer_norm:
            eps = getattr(config.vision_config, "layer_norm_eps", 1e-5)
            self.vision_layer_norm = nn.LayerNorm(config.vision_config.hidden_size, eps=eps)

        self.query_tokens, self.qformer = None, None
        if config.qformer_config is not None:
            # BLIP-2's Q-Former has no flash attention, so asking the whole model for it must not reach this part.
            if "flash" in (config.qformer_config._attn_implementation or ""):
                config.qformer_config._attn_implementation = "sdpa"
            self.query_tokens = nn.Parameter(
                torch.zeros(1, config.num_query_tokens, config.qformer_config.hidden_size)
            )
            self.qformer = Blip2QFormerModel._from_config(config.qformer_config)
            self._keep_in_fp32_modules = ["query_tokens", "qformer"]  # as BLIP-2 does for float16

        width = config.text_config.hidden_size
        layers = [nn.Linear(config.projector_input_size, width)]
        layers += [nn.Linear(width, width) for _ in range(config.projector_num_layers - 1)]
        self.multi_modal_projector = layers[0] if len(layers) == 1 else nn.Sequential(*layers)

        self.language_model = AutoModel.from_config(config.text_config, trust_remote_code=False)
        self.post_init()

    def get_vision_features(
        self, pixel_values: torch.Tensor, **kwargs: Unpack[TransformersKwargs]
    ) -> BaseModelOutputWithVisionQformerOutputs:
        """
        What the projection reads, as `pooler_output`: the Q-Former's queries, or merged patches without the tokens in
        front of them.

        Args:
            pixel_values (`torch.Tensor` of shape `(num_images, 3, height, width)`):
                The images. Position embeddings are interpolated where the size is not the configuration's.

        Returns:
            `BaseModelOutputWithVisionQformerOutputs`: with `pooler_output` of shape
            `(num_images, num_image_tokens, projector_input_size)`, what was read of the vision tower, and the outputs of
            both towers.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and (pixel_values.requires_grad or self._towers_learn())):
            vision_outputs, hidden_states = read_tokens(
                self.vision_tower, pixel_values, self.config, self._interpolates_on_demand, **kwargs
            )
            if self.vision_layer_norm is not None:
                hidden_states = self.vision_layer_norm(hidden_states)
            if self.qformer is None:
                patches = hidden_states[:, self.config.vision_prefix_tokens :]
                qformer_outputs, features = None, self._merge_patches(patches)
            else:
                qformer_outputs = self.qformer(
                    query_embeds=self._fetched(self.query_tokens).expand(hidden_states.shape[0], -1, -1),
                    encoder_hidden_states=hidden_states,
                    return_dict=True,
                    **kwargs,
                )
                features = qformer_outputs.last_hidden_state
        return BaseModelOutputWithVisionQformerOutputs(
            last_hidden_state=hidden_states,
            pooler_output=features,
            hidden_states=vision_outputs.hidden_states,
            attentions=vision_outputs.attentions,
            vision_outputs=vision_outputs,
            qformer_outputs=qformer_outputs,
        )

    def _fetched(self, query_tokens: torch.Tensor) -> torch.Tensor:
        """The queries, from the disk where they were offloaded: accelerate fetches them for `forward` only."""
        offloaded = getattr(getattr(self, "_hf_hook", None), "weights_map", None)
        return query_tokens if offloaded is None or not query_tokens.is_meta else offloaded["query_tokens"]

    def _towers_learn(self) -> bool:
        # Asked for gradient checkpointing, transformers makes the embeddings of frozen towers require gradients, too.
        parts = [self.vision_tower, self.vision_layer_norm, self.qformer]
        parameters = chain([self.query_tokens], *(part.parameters() for part in parts if part is not None))
        return any(parameter is not None and parameter.requires_grad for parameter in parameters)

    def _merge_patches(self, patches: torch.Tensor) -> torch.Tensor:
        num_images, num_patches, width = patches.shape
        merge = self.config.token_merge_size
        if num_patches % merge:
            raise ValueError(
                f"The images have {num_patches} patches, which is not a multiple of token_merge_size ({merge}): choose another image size."
            )
        return patches.reshape(num_images, num_patches // merge, width * merge)

    def project(self, vision_features: torch.Tensor) -> list[torch.Tensor]:
        """
        Maps vision features into the language model's embedding space.

        Args:
            vision_features (`torch.Tensor` of shape `(num_images, num_image_tokens, projector_input_size)`):
                What [`~MiniGPT4Model.get_vision_features`] gives as `pooler_output`.

        Returns:
            `list[torch.Tensor]`: one tensor of shape `(num_image_tokens, hidden_size)` for each image.
        """
        # The dtype of quantized weights is not that of the layer's inputs, and they may not be parameters at all.
        parameters = self.multi_modal_projector.parameters()
        dtype = next((each.dtype for each in parameters if each.is_floating_point()), self.dtype)
        return list(self.multi_modal_projector(vision_features.to(dtype)))

    @can_return_tuple
    def get_image_features(
        self, pixel_values: torch.Tensor, **kwargs: Unpack[TransformersKwargs]
    ) -> tuple | BaseModelOutputWithVisionQformerOutputs:
        """
        Image embeddings for the language model.

        Args:
            pixel_values (`torch.Tensor` of shape `(num_images, 3, height, width)`): the images.

        Returns:
            `BaseModelOutputWithVisionQformerOutputs`: its `pooler_output` is a list with one tensor of shape
            `(num_image_tokens, hidden_size)` for each image. Passed to `forward` or `generate` as
            `mm_encoder_outputs={"image": outputs}`, it stands for the pixels, and the towers do not run again.
        """
        outputs = self.get_vision_features(pixel_values, **kwargs)
        outputs.pooler_output = self.project(outputs.pooler_output)
        return outputs

    def get_placeholder_mask(
        self, input_ids: torch.LongTensor | None, inputs_embeds: torch.Tensor, image_features: torch.Tensor
    ) -> torch.BoolTensor:
        """
        Where the image embeddings belong, of shape `(batch_size, sequence_length, 1)`.

        Raises:
            ValueError: if the number of placeholders is not the number of image embeddings.
        """
        if input_ids is None:
            placeholder = torch.full((), self.config.image_token_id, dtype=torch.long, device=inputs_embeds.device)
            mask = (inputs_embeds == self.get_input_embeddings()(placeholder)).all(-1)
        else:
            mask = input_ids == self.config.image_token_id
        placeholders, embeddings = mask.sum(), image_features.shape[0]
        torch_compilable_check(
            placeholders == embeddings,
            lambda: (
                f"The prompts hold {int(placeholders)} image placeholders, but the images give {embeddings} embeddings "
                f"({self.config.num_image_tokens} for each image of {self.config.image_size} pixels): "
                "put one image placeholder into the text for each image."
            ),
        )
        return mask.unsqueeze(-1).to(inputs_embeds.device)

    def _refuse_placeholders_without_images(self, input_ids: torch.LongTensor, past_key_values: Cache | None) -> None:
        # Later steps of a generation see no images: theirs are in the cache. No data-dependent check when compiling.
        if torch.compiler.is_compiling() or (past_key_values is not None and past_key_values.get_seq_length() > 0):
            return
        if placeholders := int((input_ids == self.config.image_token_id).sum()):
            raise ValueError(
                f"The prompts hold {placeholders} image placeholders, but 0 images were given: pass pixel_values, "
                "vision_features or mm_encoder_outputs with the prompts."
            )

    def _with_gradients_of_zero(self, inputs_embeds: torch.Tensor) -> torch.Tensor:
        """
        The same embeddings, with a path back to the trainable parts that read images: a batch of text alone trains like any other, and
        processes that train together all have gradients for the same parameters.
        """
        if not any(parameter.requires_grad for parameter in self.multi_modal_projector.parameters()):
            return inputs_embeds
        if self._towers_learn():
            size = self.config.image_size
            features = self.get_vision_features(inputs_embeds.new_zeros(1, 3, size, size)).pooler_output
        else:
            features = inputs_embeds.new_zeros(1, 1, self.config.projector_input_size)
        return inputs_embeds + 0.0 * self.project(features)[0].sum().to(inputs_embeds)

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        pixel_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        vision_features: torch.Tensor | None = None,
        mm_encoder_outputs: dict[str, BaseModelOutputWithPooling] | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | LlavaModelOutputWithPast:
        """
        Args:
            input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`):
                Token ids, with `config.num_image_tokens` placeholders for each image. Rows may have different numbers
                of images; the images are taken in the order of the placeholders.
            pixel_values (`torch.Tensor` of shape `(num_images, 3, height, width)`, *optional*):
                All images of the batch.
            vision_features (`torch.Tensor` of shape `(num_images, num_image_tokens, projector_input_size)`, *optional*):
                In place of the pixels: what the projection reads, from [`~MiniGPT4Model.get_vision_features`].
            mm_encoder_outputs (`dict`, *optional*):
                In place of the pixels: `{"image": outputs}` from [`~MiniGPT4Model.get_image_features`].

        Raises:
            ValueError: if the placeholders do not fit the images, or if the images come in more than one form.
        """
        if (input_ids is None) ^ (inputs_embeds is not None):
            raise ValueError("You must specify exactly one of input_ids or inputs_embeds")
        image_outputs = (mm_encoder_outputs or {}).get("image")
        if sum(images is not None for images in (pixel_values, vision_features, image_outputs)) > 1:
            raise ValueError("Pass the images in one form only: pixel_values, vision_features or mm_encoder_outputs.")

        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)

        image_features = None
        if pixel_values is not None:
            image_features = self.get_image_features(pixel_values, return_dict=True).pooler_output
        elif vision_features is not None:
            image_features = self.project(vision_features)
        elif image_outputs is not None:
            image_features = image_outputs.pooler_output

        if image_features is not None:
            image_features = torch.cat(tuple(image_features)).to(inputs_embeds.device, inputs_embeds.dtype)
            mask = self.get_placeholder_mask(input_ids, inputs_embeds, image_features)
            inputs_embeds = inputs_embeds.masked_scatter(mask, image_features)
        else:
            if input_ids is not None:
                self._refuse_placeholders_without_images(input_ids, past_key_values)
            if torch.is_grad_enabled():
                inputs_embeds = self._with_gradients_of_zero(inputs_embeds)

        outputs = self.language_model(
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )
        return LlavaModelOutputWithPast(
            last_hidden_state=outputs.last_hidden_state,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            image_hidden_states=image_features,
        )


class MiniGPT4ForConditionalGeneration(MiniGPT4PreTrainedModel, MiniGPT4GenerationMixin):
    """
    MiniGPT-4 with a language modeling head: reads text and images, writes text.

    Example:

    ```python
    >>> from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor, nano_path
    >>> from minigpt4.evaluation.scenes import draw, sample_scenes

    >>> model = MiniGPT4ForConditionalGeneration.from_pretrained(nano_path())
    >>> processor = MiniGPT4Processor.from_pretrained(nano_path())
    >>> text = "###Human: <Img><ImageHere></Img> Describe this image in detail. ###Assistant: "
    >>> inputs = processor(images=draw(next(sample_scenes(seed=0))), text=text, return_tensors="pt")
    >>> answer = processor.post_process_image_text_to_text(model.generate(**inputs)[:, inputs["input_ids"].shape[1] :])
    ```
    """

    _auto_class = "AutoModelForImageTextToText"  # so that the code is saved with the weights
    _tied_weights_keys = {"lm_head.weight": "model.language_model.embed_tokens.weight"}
    _tp_plan = {"lm_head": "colwise_gather_output"}

    def __init__(self, config: MiniGPT4Config):
        refuse_unsuitable_language_model(config)
        super().__init__(config)
        self.model = MiniGPT4Model(config)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def get_image_features(
        self, pixel_values: torch.Tensor, **kwargs: Unpack[TransformersKwargs]
    ) -> tuple | BaseModelOutputWithVisionQformerOutputs:
        """See [`MiniGPT4Model.get_image_features`]."""
        return self.model.get_image_features(pixel_values, **kwargs)

    def _logits(self, hidden_states: torch.Tensor) -> torch.Tensor:
        logits = self.lm_head(hidden_states)
        if self.config.image_token_id >= logits.shape[-1]:
            return logits
        never = torch.finfo(logits.dtype).min
        if logits.requires_grad and self.tp_size:  # autograd refuses changes in place of what was gathered
            placeholder = torch.tensor([self.config.image_token_id], device=logits.device)
            return logits.index_fill(-1, placeholder, never)
        # Beside autograd: there the softmax is 0 and so is the gradient, and logits are not copied.
        logits.detach()[..., self.config.image_token_id] = never
        return logits

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        pixel_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        vision_features: torch.Tensor | None = None,
        labels: torch.LongTensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        skip_logits: bool = False,
        mm_encoder_outputs: dict[str, BaseModelOutputWithPooling] | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | LlavaCausalLMOutputWithPast:
        """
        See [`MiniGPT4Model.forward`] for the inputs.

        Args:
            labels (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                Token ids to predict, -100 where there is no loss; image placeholders never carry loss. The loss is the
                mean over the labels (`num_items_in_batch`, where given, replaces their number).
            logits_to_keep (`int` or `torch.Tensor`, *optional*, defaults to 0):
                The number of last positions, or the positions, that get logits; 0 stands for all. With labels the loss is
                over these positions: `(labels != -100).roll(-1, dims=-1)` are all that it needs, and nothing of the
                vocabulary's width is made for prompts, images and padding.
            skip_logits (`bool`, *optional*, defaults to `False`):
                With labels, give the loss alone where that takes less memory: `logits` are `None` under a frozen head.

        Returns:
            `LlavaCausalLMOutputWithPast`: `logits` have a column for every row of the vocabulary; the image placeholder's
            is the smallest number of its dtype, so that a softmax ignores it and it is never generated.
        """
        if labels is not None:  # a cache would copy all keys and values, and hide that rows are packed
            kwargs.setdefault("use_cache", False)
        outputs = self.model(
            input_ids=input_ids,
            pixel_values=pixel_values,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            vision_features=vision_features,
            mm_encoder_outputs=mm_encoder_outputs,
            **kwargs,
        )
        hidden_states = slice_logits_to_keep(outputs.last_hidden_state, logits_to_keep)
        if labels is not None:
            labels = labels.masked_fill(labels == self.config.image_token_id, -100)
            if skip_logits or isinstance(logits_to_keep, torch.Tensor) or logits_to_keep:
                next_tokens = nn.functional.pad(labels, (0, 1), value=-100)[:, 1:, None]
                kwargs["shift_labels"] = slice_logits_to_keep(next_tokens, logits_to_keep).squeeze(-1)

        loss, logits = None, None
        if labels is not None and skip_logits and can_skip_logits(self.lm_head) and not self.tp_size:
            loss = loss_without_logits(
                hidden_states.reshape(-1, hidden_states.shape[-1]),
                self.lm_head.weight,
                kwargs["shift_labels"].reshape(-1).to(hidden_states.device),
                never=self.config.image_token_id,
                num_items_in_batch=kwargs.get("num_items_in_batch"),
            )
        else:
            logits = self._logits(hidden_states)
            if labels is not None:
                loss = self.loss_function(
                    logits=logits, labels=labels, vocab_size=self.config.text_config.vocab_size, **kwargs
                )
        return LlavaCausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            image_hidden_states=outputs.image_hidden_states,
        )
