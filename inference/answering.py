"""From prompts to answers: the one place that generates them, for batches, conversations, evaluation and training."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import TYPE_CHECKING, Any

import torch
from transformers import StoppingCriteria

from minigpt4.inference.turns import Answer


if TYPE_CHECKING:
    from minigpt4.inference.engine import Engine
    from minigpt4.inference.streaming import AnswerStreamer
    from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
    from minigpt4.processing import MiniGPT4Processor


class ContextLimitError(ValueError):
    """A prompt leaves no room for an answer in what the language model can read."""


def answer(
    model: "MiniGPT4ForConditionalGeneration",
    processor: "MiniGPT4Processor",
    conversations: list[list[dict]],
    *,
    max_new_tokens: int | None = None,
    streamer: "AnswerStreamer | None" = None,
    **settings: Any,
) -> list[Answer]:
    """
    Answer the last user turn of each conversation.

    Args:
        conversations (`list[list[dict]]`): chat messages per conversation, images in their content.
        max_new_tokens (`int`, *optional*):
            Maximum length of an answer. Default: that of the checkpoint's generation configuration.
        streamer (`AnswerStreamer`, *optional*): as for [`answer_batch`].
        settings: of `generate`, in place of the checkpoint's.

    Raises:
        ContextLimitError: a conversation is longer than what the language model can read.
    """
    inputs = processor.apply_chat_template(
        conversations,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        processor_kwargs={"padding": True, "padding_side": "left", "return_tensors": "pt"},
    ).to(model.device, model.dtype)
    if max_new_tokens is not None:
        settings["max_new_tokens"] = max_new_tokens
    return answer_batch(model, processor, inputs, streamer=streamer, **settings)


@torch.no_grad()
def answer_batch(
    model: "MiniGPT4ForConditionalGeneration",
    processor: "MiniGPT4Processor",
    inputs: Mapping[str, torch.Tensor],
    *,
    streamer: "AnswerStreamer | None" = None,
    stopping: Event | None = None,
    on_token: Callable[[int], object] | None = None,
    ends: Sequence[str] = (),
    engine: "Engine | None" = None,
    **settings: Any,
) -> list[Answer]:
    """
    Answer prompts that are tokens already.

    Args:
        inputs (`Mapping[str, torch.Tensor]`):
            Of `generate`, on the model's device: `input_ids` of shape (batch, length), padded on the left, and what
            belongs to them: `attention_mask`, `pixel_values` or `vision_features`.
        streamer (`AnswerStreamer`, *optional*):
            Receives the answer to a single prompt as it grows; with beam search, when it is complete.
        stopping (`Event`, *optional*): ends the answers when it is set.
        on_token (`Callable[[int], object]`, *optional*):
            Called after each step with the number of tokens that every answer has now.
        ends (`Sequence[str]`, *optional*): texts that end an answer, besides the model's own end.
        engine (`Engine`, *optional*): of the model, to generate together with other threads.
        settings: of `generate`, in place of the checkpoint's.

    Raises:
        ContextLimitError: a prompt is longer than what the language model can read.
    """
    length, limit = inputs["input_ids"].shape[1], context_limit(model)
    check_length(length, limit)
    config, _ = model._prepare_generation_config(**{"generation_config": None, **settings})
    beams = (config.num_beams or 1) > 1  # the best one is known at the end only
    if ends:
        settings["stop_strings"] = list(ends)
    rows = (model if engine is None else engine).generate(
        **inputs,
        tokenizer=processor.tokenizer,
        streamer=None if beams else streamer,
        stopping_criteria=[Stop(stopping, limit, on_token and (lambda now: on_token(now - length)))],
        **settings,
    )
    # An encoder has read the prompt, where there is one: what comes out does not begin with it.
    rows = rows if model.config.get_text_config().is_encoder_decoder else rows[:, length:]
    texts = processor.post_process_image_text_to_text(rows)
    answers = [
        Answer(text, _is_finished(model, processor, row, ends), tuple(row.tolist()))
        for text, row in zip(texts, rows, strict=True)
    ]
    if beams and streamer is not None and answers[0].text:
        streamer.write(answers[0].text)
    return answers


def context_limit(model: "MiniGPT4ForConditionalGeneration") -> int | None:
    """How many positions the language model can read, prompt and answer together; `None` where it has no limit."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def check_length(length: int, limit: int | None) -> None:
    """
    Refuse a prompt of `length` tokens that leaves no room for an answer.

    Raises:
        ContextLimitError: it leaves none.
    """
    if limit is not None and length >= limit:
        raise ContextLimitError(
            f"the conversation has {length} tokens, and the model can read at most {limit}: make it shorter"
        )


def _is_finished(
    model: "MiniGPT4ForConditionalGeneration", processor: "MiniGPT4Processor", row: torch.Tensor, ends: Sequence[str]
) -> bool:
    """Whether the new ids of one answer contain the end token, or end with what else ends an answer."""
    tokens = model.generation_config.eos_token_id
    ids = row.tolist()
    if not set(ids).isdisjoint(tokens if isinstance(tokens, list) else [tokens]):
        return True
    sequences = getattr(model.generation_config, "end_sequences", None) or []
    if any(ids[-len(sequence) :] == sequence for sequence in sequences):
        return True
    return bool(ends) and processor.tokenizer.decode(ids, skip_special_tokens=True).endswith(tuple(ends))


class Stop(StoppingCriteria):
    """Ends a generation when asked to, or when the model can read no further; says how long it is before that."""

    def __init__(
        self, stopping: Event | None, limit: int | None = None, on_length: Callable[[int], object] | None = None
    ) -> None:
        self.stopping = stopping
        self.limit = limit
        self.on_length = on_length

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> Any:
        if self.on_length is not None:
            self.on_length(input_ids.shape[1])
        stopped = self.stopping is not None and self.stopping.is_set()
        full = self.limit is not None and input_ids.shape[1] >= self.limit
        return torch.full((len(input_ids),), full or stopped, device=input_ids.device)
