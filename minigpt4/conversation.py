"""A conversation about pictures, with answers printed as they are made."""

from typing import TYPE_CHECKING

import torch

from minigpt4.answering import Answer, answer, user_turn
from minigpt4.streaming import AnswerStreamer


if TYPE_CHECKING:
    from PIL.Image import Image

    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor


class Conversation:
    """What has been said and shown so far. The vision tower looks at each picture once, not again in every turn.

    Args:
        model, processor: As `minigpt4.loading.load` gives them.
        max_new_tokens: Longest answer. Default: what the checkpoint's generation configuration says.
    """

    def __init__(
        self,
        model: "MiniGPT4ForConditionalGeneration",
        processor: "MiniGPT4Processor",
        max_new_tokens: int | None = None,
    ) -> None:
        self.model = model
        self.processor = processor
        self.max_new_tokens = max_new_tokens
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._messages: list[dict] = []
        self._pictures: list[Image] = []
        self._features: list[torch.Tensor] = []

    def show(self, picture: "Image") -> None:
        """Show a picture with the next thing that is said."""
        self._pictures.append(picture)

    def say(self, text: str) -> Answer:
        """Print the answer to `text`, and return it.

        Ctrl-C ends an answer early: what was printed of it is part of the conversation; where that is nothing, neither is
        `text`. The same goes for errors, after which the pictures wait for the next thing said.
        """
        messages = [*self._messages, user_turn(text, *self._pictures)]
        streamer = AnswerStreamer(self.processor.tokenizer, self.model.generation_config.stop_strings)
        try:
            [result] = answer(
                self.model,
                self.processor,
                [messages],
                max_new_tokens=self.max_new_tokens,
                streamer=streamer,
                vision_features=self._look,
            )
        except KeyboardInterrupt:
            streamer.end()
            result = Answer(streamer.text, finished=False)
        print(flush=True)
        if result.text or result.finished:
            self._messages = [*messages, {"role": "assistant", "content": [{"type": "text", "text": result.text}]}]
            self._pictures = []
        return result

    @torch.no_grad()
    def _look(self, pixel_values: torch.Tensor) -> torch.Tensor:
        new = pixel_values[len(self._features) :]
        if len(new):
            self._features += list(self.model.model.get_vision_features(new).pooler_output)
        return torch.stack(self._features)
