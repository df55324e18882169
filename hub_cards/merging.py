"""Merging an adapter and its base into one model."""

from pathlib import Path

from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.checkpoints.identity import identify
from minigpt4.checkpoints.merging import merge_lora
from minigpt4.checkpoints.remote_code import naming_refused_code
from minigpt4.modeling_minigpt4.adapters_minigpt4 import refuse_another_base

from .card import CARD, PARTS, RESULTS, TRAINING, ModelCard, model_card, sections_of, training_of
from .gathering import leaves, refuse_links_out


def merge_adapter(folder: str | Path, output: str | Path, trust_remote_code: bool = False) -> None:
    """
    Merge an adapter into its base and save the result, with processor and card.

    Args:
        folder (`str` or `Path`): of the adapter.
        output (`str` or `Path`): new folder.
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Run code that adapter or base bring for their tokenizer or processors.

    Raises:
        ValueError: its base is not there, or is not the model it was trained on, or one of them needs code of its own, which
            is not trusted, or a file of the adapter is a link that leaves its folder.
    """
    folder = Path(folder)
    refuse_links_out(folder)
    checkpoint = identify(folder)
    base = checkpoint.base
    try:
        refuse_another_base(folder, base.name, revision=base.revision)
        without_its_own = {"subfolder": "none"}  # a LoRA beside the base is what this adapter was trained further from
        with naming_refused_code(base.name, revision=base.revision):
            model = AutoModelForImageTextToText.from_pretrained(
                base.name,
                revision=base.revision,
                dtype="auto",
                adapter_kwargs=without_its_own,
                trust_remote_code=trust_remote_code,
            )
    except OSError as error:
        raise ValueError(f"{folder} belongs to the model {base.name}, which is not there: {error}") from error
    merged = merge_lora(PeftModel.from_pretrained(model, str(folder)))
    merged.save_pretrained(output)
    beside = checkpoint.with_processor
    with naming_refused_code(beside.name, revision=beside.revision):
        processor = AutoProcessor.from_pretrained(
            beside.name, revision=beside.revision, trust_remote_code=trust_remote_code
        )
    processor.save_pretrained(output)
    card = model_card(output, base=base.name, training=training_of(folder))
    if (written := folder / CARD).is_file() and not leaves(written):
        kept = sections_of(ModelCard.load(written, ignore_metadata_errors=True), PARTS, TRAINING, RESULTS)
        card = model_card(output, base=base.name, sections=kept)
    card.save(Path(output) / CARD)
