"""From conversations to answers: what `describe`, `chat` and `demo` share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transformers import TextStreamer


if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor


@dataclass(frozen=True)
class Answer:
    text: str
    finished: bool
    """False when the answer reached the limit of new tokens before its end."""


def user_turn(text: str, *images: Any) -> dict:
    """A message of the user: the images first, then the text, as MiniGPT-4 was trained."""
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
    streamer: "AnswerStreamer | None" = None,
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
        conversations, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt", padding=True
    ).to(model.device, model.dtype)
    length = inputs["input_ids"].shape[1]
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if limit is not None and length >= limit:
        raise ValueError(f"the conversation takes {length} tokens and the model reads {limit}: make it shorter")
    lengths = {} if max_new_tokens is None else {"max_new_tokens": max_new_tokens}
    rows = model.generate(**inputs, tokenizer=processor.tokenizer, streamer=streamer, **lengths)[:, length:]
    texts = processor.post_process_image_text_to_text(rows)
    return [Answer(text, _is_finished(model, processor, row)) for text, row in zip(texts, rows, strict=True)]


def _is_finished(model: "MiniGPT4ForConditionalGeneration", processor: "MiniGPT4Processor", row: Any) -> bool:
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    text = processor.tokenizer.decode(row)
    return any(end in row for end in ends if end is not None) or any(
        mark in text for mark in model.generation_config.stop_strings or ()
    )


class AnswerStreamer(TextStreamer):
    """Prints an answer word by word, without the mark that ends it.

    The mark (`###`) may arrive in pieces, so text that could be the beginning of one is held back until it is clear.

    Args:
        tokenizer: Decodes the answer.
        stop_strings: The marks, as the checkpoint's generation configuration has them.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", stop_strings: list[str] | None) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.text = ""
        self._marks = list(stop_strings or ())
        self._held = ""
        self._ended = False

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if self._ended:
            return
        held = self._held + text
        ready = min((held.index(mark) for mark in self._marks if mark in held), default=None)
        self._ended = ready is not None or stream_end
        if ready is None:
            ready = len(held) - (0 if stream_end else self._possible_mark(held))
        # Space at the end of an answer is no part of it: wait for what follows.
        ready = len(held[:ready].rstrip())
        piece, self._held = held[:ready], held[ready:]
        piece = piece if self.text else piece.lstrip()
        if piece:
            self.text += piece
            print(piece, end="", flush=True)

    def _possible_mark(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a mark."""
        return max(
            (size for mark in self._marks for size in range(1, len(mark)) if text.endswith(mark[:size])), default=0
        )
