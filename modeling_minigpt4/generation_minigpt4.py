"""How MiniGPT-4 generates: transformers' `generate`, with what the published models do differently."""

from functools import wraps

import torch
from transformers import PreTrainedTokenizerFast
from transformers.generation import (
    GenerationMixin,
    LogitsProcessor,
    LogitsProcessorList,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling


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
    - Stop strings of the generation config end each row by itself; their tokenizer is found next to the checkpoint.
    - `vision_features` are projected once, before the first step; an assistant model sees the images too.
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
        return processors

    def _get_stopping_criteria(self, generation_config, stopping_criteria, tokenizer=None, **kwargs):
        if generation_config.stop_strings is not None and tokenizer is None:
            tokenizer = self._tokenizer_beside_checkpoint(generation_config.stop_strings)
        return super()._get_stopping_criteria(generation_config, stopping_criteria, tokenizer=tokenizer, **kwargs)

    def _tokenizer_beside_checkpoint(self, stop_strings):
        tokenizer = getattr(self, "_stop_tokenizer", None)
        if tokenizer is None:
            try:
                tokenizer = PreTrainedTokenizerFast.from_pretrained(
                    self.config.name_or_path, **self._checkpoint_kwargs
                )
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"Generation stops at {stop_strings}, which needs a tokenizer, and there is none in "
                    f"{self.config.name_or_path or 'a model that was not loaded from a checkpoint'!r}: pass "
                    "tokenizer=processor.tokenizer to generate()."
                ) from error
            self._stop_tokenizer = tokenizer
        return tokenizer

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

    def _prepare_multimodal_encoder_kwargs_for_generation(self, model_kwargs):
        if model_kwargs.get("pixel_values") is None:
            model_kwargs.pop("pixel_values", None)
        vision_features = model_kwargs.pop("vision_features", None)
        if vision_features is not None:
            features = self.base_model.project(vision_features)
            model_kwargs["mm_encoder_outputs"] = {"image": BaseModelOutputWithPooling(pooler_output=features)}
        return super()._prepare_multimodal_encoder_kwargs_for_generation(model_kwargs)
