"""nano-v2 put together from its parts, and its projection and LoRA trained in the three stages of MiniGPT-v2."""

from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from tokenizers import normalizers
from transformers import AutoProcessor, PreTrainedTokenizerFast, TrainerCallback
from transformers.utils import ADAPTER_SAFE_WEIGHTS_NAME

from minigpt4.checkpoints.families import get_family
from minigpt4.checkpoints.merging import merge_lora
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.processing import MiniGPT4ImageProcessorPil, MiniGPT4Processor, chat_template
from minigpt4.training.nano.joining import join
from minigpt4.training.nano.progress import Step, report
from minigpt4.training.recipe import read_recipe
from minigpt4.training.run import run

from .settings import IMAGE_SIZE, TOKEN_MERGE_SIZE, vision_config


FAMILY = get_family("v2")


def assemble(tower: Path, language_model: Path, seed: int, folder: Path) -> None:
    """Save the pretrained parts as one model in `folder`, with a new projection between them, and the processor that fits."""
    model, tokenizer = join(
        {f"vision_tower.{name}": tensor for name, tensor in load_file(tower).items()},
        language_model,
        seed,
        vision_config=vision_config(),
        qformer_config=None,
        token_merge_size=TOKEN_MERGE_SIZE,
    )
    model.save_pretrained(folder)
    _read_training_as_inference(tokenizer)
    MiniGPT4Processor(
        MiniGPT4ImageProcessorPil(size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}),
        tokenizer,
        chat_template=chat_template("v2"),
        num_image_tokens=model.config.num_image_tokens,
        stop_strings=[*FAMILY.stop_strings, tokenizer.eos_token],
        task_identifiers=FAMILY.task_identifiers,
        answer_starts=[FAMILY.answer_start],
    ).save_pretrained(folder)


def _read_training_as_inference(tokenizer: PreTrainedTokenizerFast) -> None:
    """Published prompts end in two spaces and `[/INST]` in training, and in one in inference. The language model was trained on
    both, but what LoRA learns after two is half forgotten after one: lists of boxes do not end."""
    backend = tokenizer.backend_tokenizer
    one_space = normalizers.Replace("▁▁[/INST]", "▁[/INST]")
    backend.normalizer = normalizers.Sequence([backend.normalizer, one_space])


class StepReports(TrainerCallback):
    """Reports the steps of a run under a title, since several run side by side."""

    def __init__(self, title: str) -> None:
        self.title = title

    def on_step_end(self, args, state, control, **kwargs):
        loss = next((log["loss"] for log in reversed(state.log_history) if "loss" in log), None)
        report(Step(self.title, state.global_step, state.max_steps, loss))


def run_stage(
    name: str, start: Path, seed: int, folder: Path, progress: TrainerCallback | None = None, **settings: Any
) -> None:
    """
    Train projection and LoRA of the model in the folder `start` by a recipe.

    Args:
        name (`str`): of a shipped recipe, or the path of one.
        start (`Path`): the assembled model, or what the stage before left in its `kept`.
        seed (`int`): of the order of the rows, and of a LoRA that is new.
        folder (`Path`): for `learned`, the run itself with what it learned; `kept`, the whole model with its LoRA as an adapter
            beside it; and `merged`, the whole model with its LoRA merged into the language model.
        progress (`TrainerCallback`, *optional*): shows the steps, as in [`~minigpt4.training.run.run`].
        settings: what is other than in the recipe.
    """
    learned = folder / "learned"
    recipe = read_recipe(name, model_name_or_path=str(start), output_dir=str(learned), seed=seed, **settings)
    run(recipe, progress=progress)
    processor = AutoProcessor.from_pretrained(start)
    _save_kept(_trained(start, learned), folder / "kept")
    merge_lora(_trained(start, learned)).save_pretrained(folder / "merged")
    for form in ("kept", "merged"):
        processor.save_pretrained(folder / form)


def without_identifiers(name: str) -> list[dict]:
    """The `data` of a recipe of nano-v2 with the same requests and answers, but no `[refer]` and so on in front of them."""
    data: Any = read_recipe(name).data.data
    return [{**entry, "name": entry["name"].replace("boxed-", "boxed-plain-", 1)} for entry in data]


def _trained(start: Path, learned: Path) -> PeftModel:
    # The LoRA that may be beside the weights of `start` is part of what was learned.
    base = MiniGPT4ForConditionalGeneration.from_pretrained(start, adapter_kwargs={"subfolder": "none"})
    return PeftModel.from_pretrained(base, learned)


def _save_kept(model: PeftModel, folder: Path) -> None:
    """As `minigpt4 convert --keep-lora` does: the LoRA alone is in the adapter, and the projection with the weights."""
    lora = model.peft_config["default"]
    adapter = {name: tensor for name, tensor in get_peft_model_state_dict(model).items() if ".lora_" in name}
    adapter = {name: tensor.detach().clone() for name, tensor in adapter.items()}
    model.unload().save_pretrained(folder)
    LoraConfig(
        r=lora.r,
        lora_alpha=lora.lora_alpha,
        lora_dropout=lora.lora_dropout,
        target_modules=lora.target_modules,
        task_type=lora.task_type,
        inference_mode=True,
    ).save_pretrained(str(folder))
    save_file(adapter, folder / ADAPTER_SAFE_WEIGHTS_NAME, metadata={"format": "pt"})
