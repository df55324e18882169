"""The language model's tokenizer, with the image token."""

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

from minigpt4.processing import IMAGE_TOKEN, load_llama_tokenizer


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
            folder, extra_special_tokens={"image_token": IMAGE_TOKEN}, trust_remote_code=False
        )
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{folder} holds no tokenizer that transformers can load: {reason}") from error
    if tokenizer.eos_token is None:
        raise ValueError(f"The tokenizer in {folder} has no end token: set eos_token in its tokenizer_config.json.")
    if tokenizer.pad_token is None:  # never the end, which padding would hide
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.bos_token
    if tokenizer.pad_token in (None, tokenizer.eos_token):
        raise ValueError(
            f"The tokenizer in {folder} has no padding token: set pad_token in its tokenizer_config.json."
        )
    if tokenizer.bos_token is None:
        tokenizer.bos_token = tokenizer.eos_token  # prompts begin with a token; texts of such models, after an end
    tokenizer.padding_side = "left"
    return tokenizer
