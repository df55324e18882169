"""nano's tokenizer: a byte-pair encoding like LLaMA's, learned from the words that describe nano's scenes."""

import json
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from minigpt4.processing.tokenization import exact_tokenizer


SPECIALS = ("<unk>", "<s>", "</s>")
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))


WORDS_AND_MARKS = r"▁?\p{L}+(-\p{L}+)*|#+|[^\p{L}]"


def train_tokenizer(corpus: Iterable[str], words: str = WORDS_AND_MARKS, **kwargs) -> PreTrainedTokenizerFast:
    """Learn a tokenizer from `corpus`, laid out as LLaMA's: `<unk>` 0, `<s>` 1, `</s>` 2, the 256 bytes, the pieces.

    Every word of the corpus becomes one token; any other text falls back to shorter pieces and to bytes. Merges are
    learned inside single words and marks: none crosses a space or glues a full stop to `###`, so the ids of a text
    are the ids of its words in order. `words` is the pattern of such words and marks; `kwargs` go to `exact_tokenizer`."""
    pieces = Tokenizer(models.BPE())
    pieces.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    pieces.pre_tokenizer = pre_tokenizers.Split(Regex(words), "isolated")
    trainer = trainers.BpeTrainer(vocab_size=1 << 16, min_frequency=1, show_progress=False)
    pieces.train_from_iterator(corpus, trainer)
    learned = json.loads(pieces.to_str())["model"]

    vocabulary = [*SPECIALS, *BYTES, *sorted(learned["vocab"], key=learned["vocab"].get)]
    backend = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(vocabulary)},
            merges=[tuple(merge) for merge in learned["merges"]],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    backend.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIALS])
    return exact_tokenizer(backend, pad_token="<pad>", **kwargs)
