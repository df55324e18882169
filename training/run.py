"""Run a recipe from start to end."""

import re
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from peft import PeftModel
from rich.console import Console
from transformers import ProgressCallback, TrainerCallback, set_seed

from minigpt4.checkpoints.merging import merge_lora
from minigpt4.checkpoints.writing import STAGING
from minigpt4.modeling_minigpt4.adapters_minigpt4 import describe_base

from .data.sources import load_eval_rows, load_train_rows
from .model import checkpoint_name, load_model, load_processor
from .output_folder import checkpoint_to_resume
from .recipe import Recipe
from .reports.curve import draw_loss_curve
from .reports.preview import print_memory, print_sequences
from .reports.progress import TrainingProgress, Waiting
from .reports.samples import SampleAnswers
from .reports.task_scores import TaskScores, tasks_of
from .sequences.collation import SequenceCollator
from .trainer.publishing import data_names
from .trainer.stages import StageTrainer


# Weights and their descriptions, which may be left from a run that was saved in another form.
WEIGHT_FILES = re.compile(r"(adapter_)?model.*\.safetensors(\.index\.json)?|(adapter_)?config\.json|base\.json")


def show(recipe: Recipe, count: int) -> None:
    """Print `count` rows of a recipe as training sequences, on stdout. Nothing is trained, no weights are loaded."""
    collator = SequenceCollator(load_processor(recipe.model), recipe.sequence, seed=recipe.args.seed)
    rows = load_train_rows(recipe.data).preview(recipe.args.seed)
    print_sequences(collator, islice(rows, count), Console())


def run(
    recipe: Recipe,
    resume: bool = False,
    waiting: Waiting = nullcontext,
    progress: TrainerCallback | None = None,
) -> Path:
    """
    Train a recipe, and save model and processor in its `output_dir`.

    There, too: `checkpoint-N`, `loss.png` and `samples.jsonl`.

    Args:
        recipe (`Recipe`): from [`read_recipe`].
        resume (`bool`, *optional*, defaults to `False`): resume from the last checkpoint in `output_dir`.
        waiting (`Callable[[str], AbstractContextManager]`, *optional*):
            Shows what the run is busy with before it trains. Default: nothing is shown.
        progress (`TrainerCallback`, *optional*): shows the steps. Default: columns and a bar on stderr.

    Returns:
        `Path`: `output_dir`.

    Raises:
        FileExistsError: `output_dir` contains other files, or a run while `resume` is not set.
        FileNotFoundError: there is nothing to resume, or an image is not there.
        NonFiniteError: a loss or a gradient is not finite.
        OSError: the disk is full.
        ValueError: the recipe is invalid, or the checkpoint to resume from is incomplete.
    """
    args, output = recipe.args, Path(recipe.args.output_dir)
    if recipe.data.eval_data and not args.do_eval:
        raise ValueError(
            "eval_data is set, but eval_strategy is not: use --set eval_strategy=epoch, or remove eval_data."
        )
    if recipe.data.eval_tasks and not recipe.data.eval_data:
        raise ValueError("eval_tasks is set, but eval_data is not: Trainer evaluates on rows, too, so name some.")
    tasks = tasks_of(recipe.data.eval_tasks)
    checkpoint = checkpoint_to_resume(output, resume)
    with waiting("Reading the data"):
        rows, eval_rows = load_train_rows(recipe.data), load_eval_rows(recipe.data)
    processor = load_processor(recipe.model)
    set_seed(args.seed)
    # Another configuration than its own makes a new model, with no base to go back to.
    base = None if recipe.model.model_config else describe_base(*checkpoint_name(recipe.model))
    with waiting("Loading the model"):
        model = load_model(recipe.model, bf16=args.bf16)
    trainer = StageTrainer(
        model,
        args,
        recipe.sequence,
        processing_class=processor,
        train_dataset=rows,
        eval_dataset=eval_rows,
        base=base,
    )
    trainer.trust_remote_code = recipe.model.trust_remote_code
    learning = [name for name, parameter in trainer.model.named_parameters() if parameter.requires_grad]
    if recipe.model.use_peft and not any("lora_" in name for name in learning):
        raise ValueError(
            f"use_peft adds LoRA, of which the mask {args.mask!r} trains nothing: use --set mask=projector+lora."
        )
    if trainer.is_world_process_zero():
        first = list(islice(rows.preview(args.seed), args.per_device_train_batch_size))
        print_sequences(trainer.data_collator, first[:1])
        print_memory(trainer.model, trainer.data_collator(first), bool(args.gradient_checkpointing))
    if eval_rows is not None and args.samples:
        fixed = list(islice(eval_rows.preview(args.seed), args.samples))
        trainer.add_callback(SampleAnswers(trainer, fixed, output / "samples.jsonl"))
    if tasks:
        root = Path(recipe.data.data_root or ".")
        trainer.add_callback(TaskScores(trainer, tasks, root, recipe.data.eval_tasks_samples))
    columns = TrainingProgress()
    if trainer.pop_callback(ProgressCallback) is not None:
        trainer.add_callback(progress or columns)
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    finally:
        columns.close()
    trainer.recipe, trainer.data = recipe.name, data_names(recipe.data.data)
    _save(trainer, output)
    trainer.create_model_card()
    if trainer.is_world_process_zero():
        draw_loss_curve(trainer.state.log_history, output / "loss.png", [task.name for task in tasks])
    return output


def _save(trainer: StageTrainer, output: Path) -> None:
    """Save the result in its place, each file at once."""
    staging = output / STAGING
    if trainer.args.save == "full" and isinstance(trainer.model, PeftModel):
        trainer.model = merge_lora(trainer.model)
    with trainer.whole_or_nothing(staging, "The model"):
        trainer.save_model(str(staging))
    if trainer.is_world_process_zero():
        new = {file.name for file in staging.iterdir()}
        for name in sorted(new):
            (staging / name).replace(output / name)
        staging.rmdir()
        # An adapter beside a whole model would be put into it once more.
        for file in output.iterdir():
            if file.name not in new and WEIGHT_FILES.fullmatch(file.name):
                file.unlink()
    trainer.accelerator.wait_for_everyone()
