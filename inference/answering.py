"""From conversations to answers: what `describe`, `chat` and `demo` share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    import torch
    from transformers import TextStreamer

    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor


@dataclass(frozen=True)
class Answer:
    text: str
    finished: bool
    """False when the answer reached the limit of new tokens before its end."""


def user_turn(text: str, *images: Any) -> dict:
    """A message of the user: the images first, then the text, as MiniGPT-4 was trained.

    Raises:
        ValueError: The text is none, but bytes of another encoding than the terminal's.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the text {text!a} holds bytes that are no UTF-8: write it anew") from error
    return {
        "role": "user",
        "content": [*({"type": "image", "image": image} for image in images), {"type": "text", "text": text}],
    }


def answer(
    model: "MiniGPT4ForConditionalGeneration",
    processor: "MiniGPT4Processor",
    conversations: list[list[dict]],
    *,
    max_new_tokens: int | None = None,
    streamer: "TextStreamer | None" = None,
) -> list[Answer]:
    """Answer the last user turn of each conversation.

    Args:
        conversations: Chat messages per conversation, images in their content.
        max_new_tokens: Longest answer. Default: what the checkpoint's generation configuration says.
        streamer: Gets the answer as it grows; for one conversation only.

    Raises:
        ValueError: A conversation is longer than what the language model reads.
    """
    inputs = processor.apply_chat_template(
        conversations,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        processor_kwargs={"padding": True, "return_tensors": "pt"},
    ).to(model.device, model.dtype)
    length = inputs["input_ids"].shape[1]
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if limit is not None and length >= limit:
        raise ValueError(f"the conversation takes {length} tokens and the model reads {limit}: make it shorter")
    lengths = {} if max_new_tokens is None else {"max_new_tokens": max_new_tokens}
    rows = model.generate(**inputs, tokenizer=processor.tokenizer, streamer=streamer, **lengths)[:, length:]
    texts = processor.post_process_image_text_to_text(rows)
    return [Answer(text, is_finished(model, row)) for text, row in zip(texts, rows, strict=True)]


def is_finished(model: "MiniGPT4ForConditionalGeneration", row: "torch.Tensor") -> bool:
    """Whether the new ids of one answer hold the end token, or reached what it follows with their last one."""
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    if any(token in ends for token in row.tolist()):
        return True
    sequences = getattr(model.generation_config, "end_sequences", None) or []
    return any(row[-len(sequence) :].tolist() == sequence for sequence in sequences)
