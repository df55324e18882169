"""Replies of a language model on this machine, in the place of an endpoint."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch

from minigpt4.inference.endpoint import Messages, Reply, Usage


class LocalLanguageModel:
    """
    A causal language model of transformers that replies to chats, greedily by default.

    Args:
        name (`str`): folder or Hub id. Its chat template words the request; without one it reads the messages' texts, each
            on a line of its own.
        batch_size (`int`, defaults to 8): requests answered at once.
        max_new_tokens (`int`, defaults to 512): maximum length of a reply, in tokens.
        settings: of `generate`, in place of the checkpoint's.

    Raises:
        OSError: there is no such model.
    """

    def __init__(self, name: str, *, batch_size: int = 8, max_new_tokens: int = 512, **settings: Any) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.name, self.batch_size = name, batch_size
        self.settings = {"do_sample": False, "max_new_tokens": max_new_tokens, **settings}
        self.usage = Usage()
        self.tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left")
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.model = AutoModelForCausalLM.from_pretrained(name, dtype="auto", device_map="auto").eval()

    def replies(self, requests: Iterable[Messages]) -> Iterator[Reply]:
        """A reply to each request, in their order."""
        rest = iter(requests)
        while batch := list(islice(rest, self.batch_size)):
            for reply in self._batch(batch):
                self.usage = self.usage.plus(reply)
                yield reply

    @torch.no_grad()
    def _batch(self, batch: list[Messages]) -> list[Reply]:
        templated = self.tokenizer.chat_template is not None
        texts = [self._text(messages) for messages in batch]
        inputs = self.tokenizer(texts, padding=True, return_tensors="pt", add_special_tokens=not templated)
        inputs = inputs.to(self.model.device)
        length = inputs["input_ids"].shape[1]
        inputs.pop("token_type_ids", None)
        rows = self.model.generate(**inputs, pad_token_id=self.tokenizer.pad_token_id, **self.settings)[:, length:]
        ends = self.model.generation_config.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends])
        replies = []
        for row, prompt in zip(rows.tolist(), inputs["attention_mask"].sum(1).tolist(), strict=True):
            end = next((index for index, token in enumerate(row) if token in ends), None)
            text = self.tokenizer.decode(row[:end], skip_special_tokens=True).strip()
            replies.append(
                Reply(
                    text,
                    self.name,
                    finished=end is not None,
                    prompt_tokens=prompt,
                    completion_tokens=len(row) if end is None else end + 1,
                    error="" if text else "an empty reply",
                )
            )
        return replies

    def _text(self, messages: Messages) -> str:
        if self.tokenizer.chat_template is not None:
            text = self.tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)
            assert isinstance(text, str)
            return text
        return "\n".join(str(message["content"]) for message in messages) + "\n"
