"""LoRA that is merged into the model it was trained on."""

from peft import PeftModel
from transformers import PreTrainedModel


def merge_lora(model: PeftModel) -> PreTrainedModel:
    """
    Merge an adapter into its model, and note a LoRA in the model's configuration as `merged_lora`, as conversion does: the
    language model is not the published one any more, and an export would lose what was merged.

    Args:
        model (`PeftModel`): with its adapter, which may also be modules trained in full, without LoRA.

    Returns:
        `PreTrainedModel`: the model alone.
    """
    lora, modules = model.active_peft_config, sorted({name.rpartition(".")[2] for name in model.targeted_module_names})
    whole = model.merge_and_unload()
    if modules:
        whole.config.merged_lora = {"r": lora.r, "lora_alpha": lora.lora_alpha, "target_modules": modules}
    return whole
