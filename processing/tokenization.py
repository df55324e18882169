"""LLaMA tokenizers that give the ids of the SentencePiece tokenizer the published models were trained with."""

import json
from pathlib import Path

from google.protobuf.message import DecodeError
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, processors
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import SentencePieceExtractor


IMAGE_TOKEN = "<ImageHere>"
"""The placeholder of an image in prompts, and the image token of the tokenizer."""

# Padding is masked everywhere, so its id must only differ from those of text. No text contains the byte 0xFF
# (it never occurs in UTF-8), and every LLaMA vocabulary has a row for it, so the vocabulary stays as it was published.
# The published demos pad with "$$": as a special token, that would tear it out of every formula.
LLAMA_PAD_TOKEN = "<0xFF>"
# Vicuna v0 was published with one row more than LLaMA, for this token.
VICUNA_PAD_TOKEN = "[PAD]"


def exact_tokenizer(
    backend: Tokenizer,
    *,
    pad_token: str,
    bos_token: str = "<s>",
    eos_token: str = "</s>",
    unk_token: str = "<unk>",
    image_token: str = IMAGE_TOKEN,
    **kwargs,
) -> PreTrainedTokenizerFast:
    """
    Wrap a BPE model over SentencePiece pieces (`▁` for a space) so that it tokenizes text as MiniGPT-4 does.

    Each span of text between special tokens is tokenized on its own, with the dummy prefix `▁`: what the slow
    `LlamaTokenizer` did in its legacy mode, and what the published models do with the segments before and after an
    image. The ids of a whole prompt are thus the ids of its segments in a row. All of it is stored in the
    `tokenizers` object, so `save_pretrained` and `AutoTokenizer.from_pretrained` do not change an id.

    Args:
        backend (`tokenizers.Tokenizer`):
            Its model and added tokens are taken over; normalizer, pre-tokenizer, decoder and post-processor are not.
        pad_token (`str`):
            A separate token: padding with the unknown, start or end token would mask those or train on padding. It is
            added if the vocabulary lacks it.
        bos_token, eos_token, unk_token (`str`):
            Must be in the vocabulary. `bos_token` begins every text unless `add_special_tokens=False`.
        image_token (`str`, defaults to `"<ImageHere>"`):
            Stands for one position of an image; added as the last id, so that the ids before it are the language
            model's own.
        kwargs:
            Further arguments of `PreTrainedTokenizerFast`, for example `model_max_length`.

    Returns:
        `PreTrainedTokenizerFast`: pads on the left, as generation needs it.

    Raises:
        ValueError: where a token is missing, or padding or images share a token with something else.
    """
    text_tokens = {"bos_token": bos_token, "eos_token": eos_token, "unk_token": unk_token}
    for name, token in text_tokens.items():
        if backend.token_to_id(token) is None:
            raise ValueError(f"{name} {token!r} is not in the vocabulary: pass one that is.")
    if pad_token in text_tokens.values():
        raise ValueError(f"pad_token {pad_token!r} is already in use: choose a separate token for padding.")
    if image_token in (pad_token, *text_tokens.values()):
        raise ValueError(f"image_token {image_token!r} is already in use: choose a separate token for images.")

    added = backend.get_added_tokens_decoder()
    backend = Tokenizer(backend.model)
    # Not as a pre-tokenizer: `Metaspace` leaves out the prefix where a text starts with a space.
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", left=1, right=0)]
    )
    # normalized=False everywhere: a normalized "<s>" would be searched for as "▁<s>" and missed inside a text.
    specials = [*text_tokens.values(), pad_token, image_token]
    for _, known in sorted(added.items()):  # in order, so that they keep their ids
        if known.special or known.content in specials:
            backend.add_special_tokens([AddedToken(known.content, normalized=False)])
        else:
            backend.add_tokens([AddedToken(known.content, normalized=False)])
    backend.add_special_tokens([AddedToken(token, normalized=False) for token in specials])
    backend.post_processor = processors.TemplateProcessing(
        single=f"{bos_token} $A", special_tokens=[(bos_token, backend.token_to_id(bos_token))]
    )

    if backend.token_to_id(image_token) != backend.get_vocab_size() - 1:
        raise ValueError(
            f"image_token {image_token!r} has id {backend.token_to_id(image_token)} of {backend.get_vocab_size()}, but "
            "must come last, after the language model's own vocabulary: choose another one, or a backend without it."
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **text_tokens,
        pad_token=pad_token,
        extra_special_tokens={"image_token": image_token},
        padding_side="left",
        clean_up_tokenization_spaces=False,
        **kwargs,
    )


def load_llama_tokenizer(path: str | Path, *, vocab_size: int | None = None, **kwargs) -> PreTrainedTokenizerFast:
    """
    Make the tokenizer of a published LLaMA, LLaMA-2 or Vicuna ready for MiniGPT-4.

    Padding is `[PAD]` where the vocabulary has it (Vicuna v0), else the byte `<0xFF>`, which no text contains.

    Args:
        path (`str` or `Path`):
            A `tokenizer.model`, or the folder of a language model that holds one.
        vocab_size (`int`, *optional*):
            Rows of the language model's embedding; `<ImageHere>` takes this id. One row more than the SentencePiece
            model has pieces is Vicuna v0's `[PAD]`, also where no `added_tokens.json` names it.
        kwargs:
            Further arguments of `exact_tokenizer`.

    Returns:
        `PreTrainedTokenizerFast`: its ids are the original's; `<ImageHere>` is the last one.

    Raises:
        FileNotFoundError: where there is no `tokenizer.model`.
        ValueError: where it is not a SentencePiece BPE model with byte fallback, or does not fit `vocab_size`.
    """
    path = Path(path)
    file = path / "tokenizer.model" if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"No tokenizer at {file}: give a LLaMA tokenizer.model, or the folder that holds it.")
    backend = Tokenizer(_sentencepiece_bpe(file))

    extras_file = file.with_name("added_tokens.json")
    extras: dict[str, int] = json.loads(extras_file.read_text(encoding="utf-8")) if extras_file.is_file() else {}
    pieces = backend.get_vocab_size()
    if vocab_size == pieces + 1 and not extras:
        extras = {VICUNA_PAD_TOKEN: pieces}
    for token, index in sorted(extras.items(), key=lambda extra: extra[1]):
        backend.add_special_tokens([AddedToken(token, normalized=False)])
        if backend.token_to_id(token) != index:
            raise ValueError(
                f"{extras_file} gives {token!r} the id {index}, but its place is {backend.token_to_id(token)}: "
                "the file belongs to another tokenizer.model."
            )
    if vocab_size is not None and vocab_size != backend.get_vocab_size():
        raise ValueError(
            f"{file} has {backend.get_vocab_size()} tokens, but the language model has {vocab_size} rows: "
            "pass the tokenizer.model that was published with it."
        )
    kwargs.setdefault("pad_token", VICUNA_PAD_TOKEN if VICUNA_PAD_TOKEN in extras else LLAMA_PAD_TOKEN)
    return exact_tokenizer(backend, **kwargs)


def _sentencepiece_bpe(file: Path) -> BPE:
    """The SentencePiece model in `file` as a `tokenizers` model."""
    try:
        extractor = SentencePieceExtractor(str(file))
    except DecodeError as error:
        raise ValueError(f"{file} is not a SentencePiece model: give LLaMA's own tokenizer.model.") from error
    spec = extractor.proto.trainer_spec
    if spec.model_type != spec.BPE or not spec.byte_fallback:
        raise ValueError(f"{file} is not a BPE model with byte fallback: give LLaMA's own tokenizer.model.")
    parts = extractor.extract(BPE)
    # SentencePiece never merges characters into "<s>" or "<0x0A>"; those pieces are not text.
    text = {piece.piece for piece in extractor.proto.pieces if piece.type == piece.NORMAL}
    merges = [(left, right) for left, right in parts["merges"] if left + right in text]
    return BPE(vocab=parts["vocab"], merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
