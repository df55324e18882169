"""LoRA as MiniGPT-v2 has it."""

from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    load_peft_weights,
    set_peft_model_state_dict,
)
from transformers import PreTrainedModel

from minigpt4.checkpoints.fit import misfit

from .arguments import ModelArguments


# Naming the language model keeps LoRA off the towers, whatever their layers are called.
QUERY_AND_VALUE = r".*language_model\..*\.(q_proj|v_proj)"


def lora_config(arguments: ModelArguments | None = None, **kwargs) -> LoraConfig:
    """
    LoRA on queries and values of the language model, never on the towers; the projection is trained in full and saved.

    As MiniGPT-v2 was published (https://huggingface.co/papers/2310.09478): rank 64, alpha 16, dropout 0.05.

    Args:
        arguments (`ModelArguments`, *optional*): other values, as from a recipe.
        kwargs: further arguments of `LoraConfig`, which take precedence.

    Returns:
        `peft.LoraConfig`: for `get_peft_model`, `SFTTrainer(peft_config=…)` or `model.add_adapter`.

    Example:

    ```python
    >>> from peft import get_peft_model

    >>> model = get_peft_model(model, lora_config())
    ```
    """
    arguments = arguments or ModelArguments()
    settings = {
        "task_type": arguments.lora_task_type,
        "r": arguments.lora_r,
        "lora_alpha": arguments.lora_alpha,
        "lora_dropout": arguments.lora_dropout,
        "target_modules": arguments.lora_target_modules or QUERY_AND_VALUE,
        "modules_to_save": arguments.lora_modules_to_save or ["multi_modal_projector"],
        "use_rslora": arguments.use_rslora,
        "use_dora": arguments.use_dora,
    }
    return LoraConfig(**{**settings, **kwargs})


def continue_lora(model: PreTrainedModel, name: str, arguments: ModelArguments) -> PeftModel:
    """
    Load the LoRA next to a model's weights to train it further; a new one would replace it and start from zero.

    Args:
        model (`MiniGPT4ForConditionalGeneration`): loaded without the LoRA.
        name (`str`): folder or Hub id of both.
        arguments (`ModelArguments`): dropout, what else is saved, and the revision.

    Raises:
        ValueError: the arguments ask for another rank or alpha, or the weights do not fit.
    """
    found = LoraConfig.from_pretrained(name, revision=arguments.model_revision)
    config = lora_config(arguments, target_modules=found.target_modules)
    for setting in ("r", "lora_alpha", "use_rslora", "use_dora"):
        wanted, there = getattr(config, setting), getattr(found, setting)
        if wanted != there:
            option = "lora_r" if setting == "r" else setting
            raise ValueError(
                f"The LoRA beside {name} has {setting} {there}, not {wanted}: use --set {option}={there}."
            )
    peft_model = get_peft_model(model, config)
    weights = load_peft_weights(name, revision=arguments.model_revision, device="cpu")
    new = get_peft_model_state_dict(peft_model)
    missing = [key for key in new.keys() - weights.keys() if ".lora_" in key]
    if found := misfit(missing, weights.keys() - new.keys()):
        raise ValueError(f"The LoRA beside {name} does not fit it: {found}.")
    set_peft_model_state_dict(peft_model, new | weights)
    return peft_model
