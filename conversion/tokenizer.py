"""The language model's tokenizer, with the image token."""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase
from transformers.tokenization_utils_base import TOKENIZER_CONFIG_FILE

from minigpt4.checkpoints.remote_code import naming_refused_code
from minigpt4.processing import IMAGE_TOKEN, exact_tokenizer, load_llama_tokenizer
from minigpt4.processing.tokenization import LLAMA_PAD_TOKEN, VICUNA_PAD_TOKEN


# Those that LLaMA's SentencePiece tokenizer was published with.
LLAMA_TYPES = ("llama", "mistral")


def load_tokenizer(folder: Path, text_config: PreTrainedConfig, *, own: bool = False) -> PreTrainedTokenizerBase:
    """
    The tokenizer of the language model in a folder, with the image token added.

    Where it is LLaMA's, it gives the ids of the published models; another one is taken as it is.

    Args:
        folder (`Path`): of the language model.
        text_config (`PreTrainedConfig`): its configuration.
        own (`bool`, defaults to `False`): take LLaMA's as it is, too, and any without a start token.

    Raises:
        FileNotFoundError, ValueError: where there is none that fits.
    """
    is_llama = text_config.model_type in LLAMA_TYPES
    if not own and is_llama and ((folder / "tokenizer.model").is_file() or not (folder / "tokenizer.json").is_file()):
        return load_llama_tokenizer(folder, vocab_size=text_config.vocab_size, **_named_end(folder))
    with naming_refused_code(folder, advice="take a language model that transformers knows"):
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
    if not own and is_llama and getattr(tokenizer.backend_tokenizer.model, "byte_fallback", False):
        return _from_json(folder, tokenizer, text_config.vocab_size)
    if tokenizer.pad_token in (None, tokenizer.eos_token):
        tokenizer.pad_token = _padding(folder, tokenizer, text_config)
    if tokenizer.bos_token is None and not own:
        tokenizer.bos_token = tokenizer.eos_token  # prompts begin with a token; texts of such models, after an end
    return tokenizer


def _named_end(folder: Path) -> dict[str, str]:
    """The end token that a model on LLaMA's pieces has for itself, such as `<|im_end|>`; Vicuna v0's settings name `""`."""
    file = folder / TOKENIZER_CONFIG_FILE
    try:
        named = json.loads(file.read_text(encoding="utf-8")).get("eos_token") if file.is_file() else None
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{file} is not a JSON object: download it again.") from error
    named = named.get("content") if isinstance(named, dict) else named
    return {"eos_token": named} if named else {}


def _padding(folder: Path, tokenizer: PreTrainedTokenizerBase, text_config: PreTrainedConfig) -> str:
    """
    A padding token, if the tokenizer has none or pads with its end token, which would then look like padding.

    Padding is masked everywhere, so that any special token will do that neither begins nor ends anything.
    """
    taken = {*end_token_ids(tokenizer, text_config), tokenizer.bos_token_id, tokenizer.unk_token_id}
    taken.add(tokenizer.convert_tokens_to_ids(IMAGE_TOKEN))
    added = sorted(tokenizer.added_tokens_decoder.items(), reverse=True)
    spare = [token.content for id_, token in added if token.special and id_ not in taken]
    for token in (*spare, tokenizer.unk_token, tokenizer.bos_token):
        if token not in (None, tokenizer.eos_token):
            return token
    has = "has no padding token" if tokenizer.pad_token is None else "pads with its end token"
    raise ValueError(
        f"The tokenizer in {folder} {has} ({tokenizer.eos_token!r} ends answers), and has no special token to spare: set "
        "pad_token in its tokenizer_config.json to another token, which no text contains."
    )


def end_token_ids(tokenizer: PreTrainedTokenizerBase, text_config: PreTrainedConfig) -> list[int]:
    """
    What ends the language model's texts: its tokenizer's end token, and the others where its configuration lists several.

    A single one there is not trusted: LLaMA's first conversions name the start token.
    """
    named = text_config.eos_token_id
    return list(dict.fromkeys([tokenizer.eos_token_id, *(named if isinstance(named, list) else [])]))


def _from_json(folder: Path, known: PreTrainedTokenizerBase, rows: int) -> PreTrainedTokenizerBase:
    """LLaMA's pieces and merges out of a `tokenizer.json`, which are those of its `tokenizer.model`."""
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if rows == backend.get_vocab_size() + 1:  # of Vicuna v0, as in `load_llama_tokenizer`
        backend.add_special_tokens([AddedToken(VICUNA_PAD_TOKEN, normalized=False)])
    texts = {name: getattr(known, name) for name in ("bos_token", "eos_token", "unk_token") if getattr(known, name)}
    pad = VICUNA_PAD_TOKEN if backend.token_to_id(VICUNA_PAD_TOKEN) is not None else LLAMA_PAD_TOKEN
    return exact_tokenizer(backend, pad_token=pad, **texts)
