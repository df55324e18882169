"""The end of a learned answer, in the tokens that generation stops at."""

import re

from transformers import ProcessorMixin

from minigpt4.modeling_minigpt4.ends_minigpt4 import end_sequences


class AnswerEnds:
    """
    How answers of a model end, as its processor knows it.

    Args:
        processor (`MiniGPT4Processor`): its `stop_strings` begin with the mark of its chat form, where that has one.
    """

    def __init__(self, processor: ProcessorMixin):
        self.tokenizer = processor.tokenizer
        self.own = [*processor.stop_strings, self.tokenizer.eos_token][0]
        marks = [mark for mark in processor.stop_strings if mark not in self.tokenizer.all_special_tokens]
        self.sequences = {mark: end_sequences(self.tokenizer, [mark]) for mark in marks}

    def choose(self, wanted: str | None) -> str:
        """
        The recipe's end, or else the model's own.

        Raises:
            ValueError: where that is the end token of another model, which would be learned letter by letter.
        """
        if wanted is None:
            return self.own
        token = wanted.strip()
        if re.fullmatch(r"<\S+>", token) and self._encode(token) != [self.tokenizer.convert_tokens_to_ids(token)]:
            raise ValueError(
                f"answer_end is {wanted!r}, which is not a token of this model and would be learned letter by letter: leave "
                f"it out for the model's own end, {self.own!r}."
            )
        return wanted

    def encode(self, text: str) -> list[int]:
        """The ids of an answer with its end; a mark that melted into a token of the answer gets tokens of its own."""
        ids = self._encode(text)
        for mark, sequences in self.sequences.items():
            answer = text.removesuffix(mark)
            melted = not any(ids[-len(sequence) :] == sequence for sequence in sequences)
            if (
                melted and answer != text and not answer.endswith(mark[0])
            ):  # one more # is not another mark, as published
                return self._encode(answer) + self._encode(mark)
        return ids

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]
