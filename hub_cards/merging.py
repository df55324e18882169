"""An adapter and its base as one model, for people who want to load one thing."""

from pathlib import Path

from peft import PeftConfig, PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.modeling_minigpt4.adapters_minigpt4 import refuse_another_base

from .card import CARD, PARTS, RESULTS, TRAINING, ModelCard, model_card, sections_of, training_of


def merge_adapter(folder: str | Path, output: str | Path) -> None:
    """
    Write the model that an adapter and its base come to, with processor and card.

    Args:
        folder (`str` or `Path`): of the adapter.
        output (`str` or `Path`): new folder.

    Raises:
        ValueError: its base is not there, or is not the model it was trained on.
    """
    settings = PeftConfig.from_pretrained(str(folder))
    base = settings.base_model_name_or_path
    try:
        refuse_another_base(folder, base, revision=settings.revision)
        without_its_own = {"subfolder": "none"}  # a LoRA beside the base is what this adapter was trained further from
        model = AutoModelForImageTextToText.from_pretrained(
            base, revision=settings.revision, dtype="auto", adapter_kwargs=without_its_own
        )
    except OSError as error:
        raise ValueError(f"{folder} belongs to the model {base}, which is not there: {error}") from error
    merged = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    merged.save_pretrained(output)
    if (Path(folder) / "processor_config.json").is_file():
        processor = AutoProcessor.from_pretrained(folder)
    else:
        processor = AutoProcessor.from_pretrained(base, revision=settings.revision)
    processor.save_pretrained(output)
    card = model_card(output, base=base, training=training_of(folder))
    if (written := Path(folder) / CARD).is_file():
        told = sections_of(ModelCard.load(written, ignore_metadata_errors=True), PARTS, TRAINING, RESULTS)
        card = model_card(output, base=base, sections=told)
    card.save(Path(output) / CARD)
