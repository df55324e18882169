"""What a run is going to do: the sequences as they are trained on, and the memory that it takes."""

from collections.abc import Iterable
from itertools import groupby

import torch
from rich.console import Console
from rich.text import Text
from tokenizers.decoders import ByteFallback
from transformers import PreTrainedModel

from minigpt4.training.row import Row, row_images
from minigpt4.training.sequences.collation import IGNORED, SequenceCollator


def print_sequences(collator: SequenceCollator, rows: Iterable[Row], console: Console | None = None) -> None:
    """
    Print rows as training sequences. Tokens with loss stand between ⟦ and ⟧, in green on a terminal.

    Args:
        collator (`SequenceCollator`): makes the sequences.
        rows (`Iterable[Row]`): rows as they are trained on.
        console (`rich.console.Console`, *optional*): where to; default stderr.
    """
    console = console or Console(stderr=True)
    for number, row in enumerate(rows):
        batch = collator([row])
        ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
        learned = sum(label != IGNORED for label in labels)
        images = len(row_images(row))
        cut = f", {count} cut off" if (count := collator.count_cut(row)) else ""
        console.print(
            f"Sample {row.get('row', number)}: {len(ids)} tokens, {learned} of them between ⟦ and ⟧ with loss, {images} image(s){cut}"
        )
        text = Text()
        for has_loss, run in groupby(zip(ids, labels, strict=True), key=lambda pair: pair[1] != IGNORED):
            shown = _show(collator, [token for token, _ in run])
            text.append(f"⟦{shown}⟧" if has_loss else shown, style="bold green" if has_loss else "")
        console.print(text, soft_wrap=not console.is_terminal)


def _show(collator: SequenceCollator, ids: list[int]) -> str:
    tokens = collator.processor.tokenizer.convert_ids_to_tokens(ids)
    image = collator.processor.image_token
    shown = ""
    for is_image, run in groupby(tokens, key=lambda token: token == image):
        pieces = list(run)
        # Characters without a token of their own are several: the bytes of the character. Line breaks stay to be seen.
        text = ByteFallback().decode(pieces).replace("\n", "<0x0A>")
        shown += f"{image} x {len(pieces)} " if is_image else text.replace("▁", " ")
    return shown


def estimate_memory(model: PreTrainedModel, batch: dict, checkpointing: bool = False) -> dict[str, int]:
    """
    Bytes that training takes on each device, computed, as if every device held the whole model (no FSDP, no ZeRO).

    What the towers compute is not counted, nor what the allocator wastes.

    Args:
        model (`MiniGPT4ForConditionalGeneration`): with its `requires_grad` flags set.
        batch (`dict`): a batch of the collator, of the size a device gets.
        checkpointing (`bool`, *optional*, defaults to `False`):
            Gradient checkpointing: each layer keeps its input only, and one at a time is computed again.

    Returns:
        `weights`, `learning` (a gradient and AdamW's two moments for everything that learns, in float32),
        `activations` (of the language model, 34 bytes for each position, layer and unit of width:
        https://huggingface.co/papers/2205.05198, equation 2 without its attention matrix; in float32 twice as many),
        `logits` (in front of labels, and their gradient) and `total`.
    """
    text = model.config.get_text_config()
    positions = batch["input_ids"].numel()
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    learning = sum(parameter.numel() * 3 * 4 for parameter in model.parameters() if parameter.requires_grad)
    item = model.get_output_embeddings().weight.element_size()
    of_a_layer = 34 * positions * text.hidden_size * item // 2
    inputs = positions * text.hidden_size * text.num_hidden_layers * item
    activations = inputs + of_a_layer if checkpointing else of_a_layer * text.num_hidden_layers
    logits = 2 * 4 * int((batch["labels"] != IGNORED).sum()) * text.vocab_size
    parts = {"weights": weights, "learning": learning, "activations": activations, "logits": logits}
    return {**parts, "total": sum(parts.values())}


def print_memory(
    model: PreTrainedModel, batch: dict, checkpointing: bool = False, console: Console | None = None
) -> None:
    """[`estimate_memory`] in one line, with what the device has where that can be asked."""
    estimate = {name: f"{size / 2**30:.2f} GiB" for name, size in estimate_memory(model, batch, checkpointing).items()}
    total = estimate.pop("total")
    parts = ", ".join(f"{name} {size}" for name, size in estimate.items())
    has = ""
    if torch.cuda.is_available():
        has = f"; this device has {torch.cuda.get_device_properties(0).total_memory / 2**30:.0f} GiB"
    console = console or Console(stderr=True)
    console.print(
        f"Memory, estimated for a device with the whole model: {total} ({parts}){has}",
        soft_wrap=not console.is_terminal,
    )
