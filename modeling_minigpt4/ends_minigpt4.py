"""Where an answer ends: at the end token, or at token ids that a family has in its place, such as those of `###`."""

from collections.abc import Iterable

import torch
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.generation import GenerationConfig, LogitsProcessor, NoBadWordsLogitsProcessor


def end_sequences(tokenizer: PreTrainedTokenizerBase, marks: Iterable[str]) -> list[list[int]]:
    """
    The token ids that `marks` can be written in: at the start of a word, and behind one.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): of the language model.
        marks (`Iterable[str]`): strings that end an answer, such as `["###"]`.

    Returns:
        `list[list[int]]`: `[[835], [2277, 29937]]` for `###` with LLaMA's tokenizer, as published.
    """
    sequences = []
    for mark in marks:
        for space in (" ", ""):
            for word in ("a", "."):
                before, ids = (
                    tokenizer.encode(text, add_special_tokens=False) for text in (word, word + space + mark)
                )
                if ids[: len(before)] == before:  # else the mark is merged with what stands before it
                    sequences.append(ids[len(before) :])
        sequences.append(tokenizer.encode(mark, add_special_tokens=False))
    return [ids for index, ids in enumerate(sequences) if ids not in sequences[:index]]


class EndAfterSequences(LogitsProcessor):
    """
    Makes the end token follow where a row has reached the end of its answer. What ends a row in `generate`, and whoever
    looks for the end token in what it returns, needs to know no other end.

    Args:
        sequences (`list[list[int]]`): ids that end an answer when they are generated; those of the prompt do not count.
        eos_token_id (`int`): the end token.
        prompt_length (`int`): length of the prompt, padding included.
    """

    supports_continuous_batching = False  # rows are identified by position

    def __init__(self, sequences: list[list[int]], eos_token_id: int, prompt_length: int):
        self.sequences = [torch.tensor(sequence) for sequence in sequences]
        self.eos_token_id = eos_token_id
        self.prompt_length = prompt_length

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        self.sequences = [sequence.to(input_ids.device) for sequence in self.sequences]  # copied once
        new_ids = input_ids[:, self.prompt_length :]
        ended = torch.zeros(len(new_ids), dtype=torch.bool, device=new_ids.device)
        for sequence in self.sequences:
            if new_ids.shape[1] >= len(sequence):
                ended |= (new_ids[:, -len(sequence) :] == sequence).all(1)
        only_end = torch.full_like(scores, -torch.inf)
        only_end[:, self.eos_token_id] = 0
        return torch.where(ended[:, None], only_end, scores)  # type: ignore[return-value]  # torch says Tensor


class NoEndYet(NoBadWordsLogitsProcessor):
    """Masks the end sequences of an answer for as long as `min_new_tokens` masks the end token.

    Args:
        sequences (`list[list[int]]`): ids that end an answer.
        min_new_tokens (`int`): how many tokens come first.
    """

    def __init__(self, sequences: list[list[int]], min_new_tokens: int):
        super().__init__(sequences)
        self.min_new_tokens = min_new_tokens

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        return super().__call__(input_ids, scores) if input_ids.shape[1] < self.min_new_tokens else scores


def read_ends_of_before(generation_config: GenerationConfig, name: str, **checkpoint_kwargs) -> None:
    """
    Gives the settings of a checkpoint that was saved with `###` as a stop string its ids instead. Where there is no
    tokenizer beside it they stay, and `generate` asks for one.

    Args:
        generation_config (`GenerationConfig`): changed in place.
        name (`str`): folder or Hub id of the checkpoint.
        checkpoint_kwargs: `subfolder`, `revision` and the like.
    """
    if generation_config.stop_strings != ["###"] or hasattr(generation_config, "end_sequences"):
        return
    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(name, **checkpoint_kwargs)
    except (OSError, ValueError):
        return
    generation_config.end_sequences = end_sequences(tokenizer, generation_config.stop_strings)
    generation_config.stop_strings = None
