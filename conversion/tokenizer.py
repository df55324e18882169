"""The language model's tokenizer, with the image token."""

from pathlib import Path

from tokenizers import AddedToken, Tokenizer
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

from minigpt4.processing import IMAGE_TOKEN, exact_tokenizer, load_llama_tokenizer
from minigpt4.processing.tokenization import LLAMA_PAD_TOKEN, VICUNA_PAD_TOKEN


# Those that LLaMA's SentencePiece tokenizer was published with.
LLAMA_TYPES = ("llama", "mistral")


def load_tokenizer(folder: Path, text_config: PreTrainedConfig) -> PreTrainedTokenizerBase:
    """
    The tokenizer of the language model in a folder, with the image token added.

    Where it is LLaMA's, it gives the ids of the published models; another one is taken as it is.

    Raises:
        FileNotFoundError, ValueError: where there is none that fits.
    """
    is_llama = text_config.model_type in LLAMA_TYPES
    if is_llama and ((folder / "tokenizer.model").is_file() or not (folder / "tokenizer.json").is_file()):
        return load_llama_tokenizer(folder, vocab_size=text_config.vocab_size)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder,
            extra_special_tokens={"image_token": IMAGE_TOKEN},
            padding_side="left",  # set later, it would not be saved
            trust_remote_code=False,
        )
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{folder} holds no tokenizer that transformers can load: {reason}") from error
    if tokenizer.eos_token is None:
        raise ValueError(f"The tokenizer in {folder} has no end token: set eos_token in its tokenizer_config.json.")
    if is_llama and getattr(tokenizer.backend_tokenizer.model, "byte_fallback", False):
        return _from_json(folder, tokenizer, text_config.vocab_size)
    if tokenizer.pad_token is None:  # never the end, which padding would hide
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.bos_token
    if tokenizer.pad_token in (None, tokenizer.eos_token):
        raise ValueError(
            f"The tokenizer in {folder} has no padding token: set pad_token in its tokenizer_config.json."
        )
    if tokenizer.bos_token is None:
        tokenizer.bos_token = tokenizer.eos_token  # prompts begin with a token; texts of such models, after an end
    return tokenizer


def _from_json(folder: Path, known: PreTrainedTokenizerBase, rows: int) -> PreTrainedTokenizerBase:
    """LLaMA's pieces and merges out of a `tokenizer.json`, which are those of its `tokenizer.model`."""
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if rows == backend.get_vocab_size() + 1:  # of Vicuna v0, as in `load_llama_tokenizer`
        backend.add_special_tokens([AddedToken(VICUNA_PAD_TOKEN, normalized=False)])
    texts = {name: getattr(known, name) for name in ("bos_token", "eos_token", "unk_token") if getattr(known, name)}
    pad = VICUNA_PAD_TOKEN if backend.token_to_id(VICUNA_PAD_TOKEN) is not None else LLAMA_PAD_TOKEN
    return exact_tokenizer(backend, pad_token=pad, **texts)
