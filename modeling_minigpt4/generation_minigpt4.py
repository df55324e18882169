"""How MiniGPT-4 generates: transformers' `generate`, with what the published models do differently."""

from contextlib import contextmanager
from functools import wraps

import torch
from transformers.generation import (
    GenerationMixin,
    LogitsProcessor,
    LogitsProcessorList,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensLogitsProcessor,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling

from .assistants_minigpt4 import TextCandidateGenerator, is_text_model, without_images
from .decoding_minigpt4 import fast_linears
from .ends_minigpt4 import EndAfterSequences, NoEndYet


class GeneratedTokensOnly(LogitsProcessor):
    """
    Hides the prompt from a logits processor.

    The original generates from embeddings, so its repetition penalty and n-gram bans never saw the prompt, let alone the
    placeholders of an image in it.

    Args:
        processor (`LogitsProcessor`): what looks at the generated tokens.
        prompt_length (`int`): length of the prompt, padding included.
    """

    def __init__(self, processor: LogitsProcessor, prompt_length: int):
        self.processor = processor
        self.prompt_length = prompt_length

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        return self.processor(input_ids[:, self.prompt_length :], scores)


class MiniGPT4GenerationMixin(GenerationMixin):
    """
    `generate` for MiniGPT-4.

    - `repetition_penalty` and `no_repeat_ngram_size` look at generated tokens only. To have them look at the prompt too,
      pass transformers' own processors as `logits_processor`.
    - `end_sequences` of the generation config are token ids that end an answer, as `###` of the Vicuna family: a row that has
      made one gets the end token next. `stop_strings` come on top of them.
    - `vision_features` are projected once, before the first step; an assistant model sees the images too, unless it is one
      of text alone.
    - Equal images in a batch are looked at once.
    - With `past_key_values` from an earlier call and the ids of the whole prompt, the images may be those of the whole prompt
      or only those that are not in the cache yet.
    """

    def _get_logits_processor(
        self, generation_config, input_ids_seq_length=None, *args, **kwargs
    ) -> LogitsProcessorList:
        given = kwargs.get("logits_processor") or []
        processors = super()._get_logits_processor(generation_config, input_ids_seq_length, *args, **kwargs)
        for index, processor in enumerate(processors):
            if any(processor is other for other in given):
                continue
            if isinstance(processor, RepetitionPenaltyLogitsProcessor):
                # A plain penalty: the one made by `generate` ignores the padding of the prompt, which is hidden here.
                processor = RepetitionPenaltyLogitsProcessor(processor.penalty)
            elif not isinstance(processor, NoRepeatNGramLogitsProcessor):
                continue
            processors[index] = GeneratedTokensOnly(processor, input_ids_seq_length or 0)
        sequences = getattr(generation_config, "end_sequences", None)
        ends = getattr(generation_config, "_eos_token_tensor", None)  # none: the caller disabled the end token
        if sequences and ends is not None:
            prompt_length = input_ids_seq_length or 0
            if generation_config.min_new_tokens:
                not_yet = NoEndYet(sequences, generation_config.min_new_tokens)
                processors.insert(0, GeneratedTokensOnly(not_yet, prompt_length))  # before top-k and the like
            processors.append(EndAfterSequences(sequences, ends[0].item(), prompt_length))
        return processors

    def _extract_generation_mode_kwargs(self, custom_generate, kwargs, *others):
        tokenizer = kwargs.get("tokenizer")
        extracted = super()._extract_generation_mode_kwargs(custom_generate, kwargs, *others)
        if callable(custom_generate) and tokenizer is not None:  # transformers loses it, and stop_strings need it
            extracted["tokenizer"] = tokenizer
        return extracted

    def _get_stopping_criteria(self, generation_config, stopping_criteria, tokenizer=None, **kwargs):
        tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # `transformers serve` passes the whole processor
        return super()._get_stopping_criteria(generation_config, stopping_criteria, tokenizer=tokenizer, **kwargs)

    def _validate_generation_mode(self, generation_mode, generation_config, generation_mode_kwargs):
        assistant = generation_mode_kwargs.get("assistant_model")
        if is_text_model(assistant) and assistant.config.get_text_config().vocab_size == self.config.image_token_id:
            # The same tokens but for the placeholder, which it never sees.
            generation_mode_kwargs = {**generation_mode_kwargs, "assistant_model": None}
        super()._validate_generation_mode(generation_mode, generation_config, generation_mode_kwargs)

    def _get_candidate_generator(self, *, logits_processor, model_kwargs, assistant_model=None, **kwargs):
        # Prompt lookup would copy placeholders out of the prompt, and the images would not fit them any more.
        never = SuppressTokensLogitsProcessor([self.config.image_token_id], device=self.device)
        kwargs["logits_processor"] = LogitsProcessorList([*logits_processor, never])
        if is_text_model(assistant_model):
            target_tokenizer, assistant_tokenizer = kwargs.pop("target_tokenizer"), kwargs.pop("assistant_tokenizer")
            if assistant_tokenizer is None:
                return TextCandidateGenerator(
                    image_token_id=self.config.image_token_id,
                    vocab_size=self.config.get_text_config().vocab_size,
                    assistant_model=assistant_model,
                    model_kwargs=model_kwargs,
                    **kwargs,
                )
            model_kwargs = without_images(model_kwargs)
            kwargs |= {"target_tokenizer": target_tokenizer, "assistant_tokenizer": assistant_tokenizer}
        return super()._get_candidate_generator(assistant_model=assistant_model, model_kwargs=model_kwargs, **kwargs)

    @wraps(GenerationMixin.prepare_inputs_for_generation)  # `generate` looks for parameters by name
    def prepare_inputs_for_generation(
        self, input_ids, next_sequence_length=None, past_key_values=None, is_first_iteration=False, **kwargs
    ):
        # The first step of an assistant model counts as a later one in transformers, and would not see the images.
        if next_sequence_length != 1 and past_key_values is not None and past_key_values.get_seq_length() == 0:
            is_first_iteration = True
        return super().prepare_inputs_for_generation(
            input_ids,
            next_sequence_length=next_sequence_length,
            past_key_values=past_key_values,
            is_first_iteration=is_first_iteration,
            **kwargs,
        )

    @contextmanager
    def _optimize_model_for_decode(self):
        with super()._optimize_model_for_decode(), fast_linears(self.base_model.language_model, self.lm_head):
            yield

    def _maybe_prepare_encoder_kwargs_for_generation(
        self, inputs_tensor, model_kwargs, model_input_name, generation_config
    ):
        cache = model_kwargs.get("past_key_values")
        if model_input_name != "input_ids" or cache is None or cache.get_seq_length() == 0:
            return super()._maybe_prepare_encoder_kwargs_for_generation(
                inputs_tensor, model_kwargs, model_input_name, generation_config
            )
        unread = self._unread_tokens_of_images(inputs_tensor, model_kwargs, generation_config, cache.get_seq_length())
        for name in ("pixel_values", "vision_features"):
            images = model_kwargs.get(name)
            if images is not None and len(images) == len(unread):
                unread_images = images[[index for index, tokens in enumerate(unread) if tokens]]
                model_kwargs[name] = unread_images if len(unread_images) else None
        model_kwargs = super()._maybe_prepare_encoder_kwargs_for_generation(
            inputs_tensor, model_kwargs, model_input_name, generation_config
        )
        outputs = model_kwargs["mm_encoder_outputs"].get("image")
        features = [] if outputs is None else outputs.pooler_output
        if len(features) != len(unread):
            unread = [tokens for tokens in unread if tokens]
        if len(features) != len(unread):
            raise ValueError(
                f"{len(unread)} images of the prompts are not in past_key_values yet, but {len(features)} were given: "
                "give these, or all images of the prompts."
            )
        # An image may stand in the cache in part.
        features = [image[-tokens:] for image, tokens in zip(features, unread, strict=True) if tokens]
        model_kwargs["mm_encoder_outputs"] = (
            {"image": BaseModelOutputWithPooling(pooler_output=features)} if features else {}
        )
        return model_kwargs

    def _unread_tokens_of_images(self, input_ids, model_kwargs, generation_config, past_length) -> list[int]:
        """How many placeholders of each image are not in the cache."""
        mask = model_kwargs.get("attention_mask")
        full_length = generation_config._mask_length if mask is None else mask.shape[1]
        if full_length != input_ids.shape[1]:  # the ids are the new ones only
            past_length = 0
        _, columns = (input_ids == self.config.image_token_id).nonzero(as_tuple=True)
        unread = columns >= past_length
        if len(unread) % self.config.num_image_tokens:
            raise ValueError(
                f"The prompts hold {len(unread)} image placeholders, which is not {self.config.num_image_tokens} for "
                "each image."
            )
        return unread.view(-1, self.config.num_image_tokens).sum(1).tolist()

    def _prepare_multimodal_encoder_kwargs_for_generation(self, model_kwargs):
        pixel_values = model_kwargs.pop("pixel_values", None)
        places = None
        if pixel_values is not None:
            # The same picture in several rows, as for several questions about it, is encoded once.
            model_kwargs["pixel_values"], places = torch.unique(pixel_values, dim=0, return_inverse=True)
        vision_features = model_kwargs.pop("vision_features", None)
        if vision_features is not None:
            features = self.base_model.project(vision_features)
            model_kwargs["mm_encoder_outputs"] = {"image": BaseModelOutputWithPooling(pooler_output=features)}
        model_kwargs = super()._prepare_multimodal_encoder_kwargs_for_generation(model_kwargs)
        if places is not None:
            features = model_kwargs["mm_encoder_outputs"]["image"].pooler_output
            model_kwargs["mm_encoder_outputs"]["image"] = BaseModelOutputWithPooling(
                pooler_output=[features[place] for place in places.tolist()]
            )
        return model_kwargs
