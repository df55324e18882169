"""Training stages, as a thin layer on transformers' `Trainer`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedModel, ProcessorMixin
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, rotate_checkpoints

from minigpt4.checkpoints.fit import misfit
from minigpt4.checkpoints.identity import is_adapter
from minigpt4.checkpoints.learned import learned_modules, load_learned, save_learned
from minigpt4.checkpoints.writing import STAGING
from minigpt4.modeling_minigpt4.adapters_minigpt4 import Base, note_base, refuse_another_base
from minigpt4.training.arguments import SequenceArguments, StageArguments
from minigpt4.training.data.features import open_features
from minigpt4.training.data.rows import number_rows
from minigpt4.training.masks import apply_mask, print_learning_table
from minigpt4.training.sequences.collation import SequenceCollator
from minigpt4.training.sequences.packing import PackingCollator, use_packed_attention, why_not_packed

from .disk import full_disk_in_one_line
from .finiteness import NonFiniteError, describe_non_finite, is_finite
from .mixture import MixtureTrainer
from .publishing import PublishingTrainer
from .schedule import published_schedule
from .throughput import Throughput


class StageTrainer(PublishingTrainer, MixtureTrainer):
    """
    Trains what the mask names on the published sequences, with the published optimizer and learning rates.

    What learns is held in float32, whatever the model came in. The first loss or gradient that is not finite stops the
    run before it reaches the weights. Checkpoints are written beside their place and renamed: a run that is killed
    leaves whole ones only.

    Args:
        model (`MiniGPT4ForConditionalGeneration` or a `PeftModel` of one): its `requires_grad` flags are set by the mask.
        args (`StageArguments`): how to train.
        sequence (`SequenceArguments`): the form of the training sequence.
        processing_class (`MiniGPT4Processor`): saved with the model.
        train_dataset, eval_dataset: rows with an `image` and its `text`, or with `images` and `messages`. To train on, a
            [`Mixture`] of several sets, too.
        base (`Base`, *optional*): which model `model` was loaded from, unchanged. With it, and `args.save="learned"`,
            checkpoints hold what learns alone; without, the whole model.
        kwargs: further arguments of `Trainer`.

    Raises:
        NonFiniteError: from `train()`, with the step, the rows and the module.

    Example:

    ```python
    >>> args, sequence = load_recipe("stage2", output_dir="runs/stage2")
    >>> StageTrainer(model, args, sequence, processing_class=processor, train_dataset=rows).train()
    ```
    """

    def __init__(
        self,
        model: PreTrainedModel,
        args: StageArguments,
        sequence: SequenceArguments,
        processing_class: ProcessorMixin,
        train_dataset=None,
        eval_dataset=None,
        base: Base | None = None,
        **kwargs,
    ):
        apply_mask(model, args.mask)
        _refuse_lost_parameters(model, base)
        self.base, self.throughput = base, Throughput()
        # PEFT saves what it added by itself.
        by_name = base is not None and args.save == "learned" and not isinstance(model, PeftModel)
        self.learned_modules = learned_modules(model) if by_name else None
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()  # steps of 1e-5 would be lost in bfloat16
        if args.ddp_find_unused_parameters is None:
            args.ddp_find_unused_parameters = False  # the network leaves none unused, images or not
        collator = PackingCollator if _packs(model, args) else SequenceCollator
        if collator is PackingCollator:
            use_packed_attention(model)
        args.remove_unused_columns = False  # the collator reads columns that no forward has: image and text
        args.accelerator_config.dispatch_batches = False  # packed batches of a stream cannot be cut up for processes
        super().__init__(
            model,
            args,
            data_collator=collator(
                processing_class, sequence, seed=args.seed, features=open_features(model, processing_class, args)
            ),
            processing_class=processing_class,
            train_dataset=train_dataset,
            eval_dataset=number_rows(eval_dataset, args.seed, drawn_anew=False),
            **kwargs,
        )
        if self.is_world_process_zero():
            print_learning_table(model)

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        if self.lr_scheduler is None:  # type: ignore[has-type]
            self.lr_scheduler = published_schedule(
                optimizer or self.optimizer,
                num_training_steps,
                init_lr=self.args.learning_rate,
                min_lr=self.args.min_lr,
                warmup_lr=self.args.warmup_lr,
                warmup_steps=self.args.get_warmup_steps(num_training_steps),
            )
        return self.lr_scheduler

    def training_step(self, model, inputs, num_items_in_batch=None):
        self.throughput.start()
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.throughput.samples += len(inputs["rows"] if "rows" in inputs else inputs["input_ids"])
        # Before clipping, which would spread one bad gradient over all of them.
        # Float16 has a scaler, which passes over steps whose gradients are too large, and tries smaller ones.
        if not is_finite(loss, None if self.accelerator.scaler is not None else self.model):
            rows = (
                inputs["drawn"].sources if "drawn" in inputs else inputs["rows"].tolist() if "rows" in inputs else None
            )
            raise NonFiniteError(describe_non_finite(self, inputs, rows, loss))
        return loss

    def log(self, logs, start_time=None):
        self.throughput.leave_out(logs.get("eval_runtime", 0.0) + logs.get("eval_tasks_runtime", 0.0))
        if "loss" in logs:
            logs["samples_per_second"] = self.throughput.take() * self.args.world_size
        super().log(logs, start_time)

    def compute_loss(self, model, inputs, *args, **kwargs):
        inputs = {name: value for name, value in inputs.items() if name not in ("rows", "drawn")}
        if self.compute_loss_func is not None:
            inputs.pop("logits_to_keep", None)  # it takes logits and labels of the same positions
        else:
            inputs.setdefault("skip_logits", True)
        return super().compute_loss(model, inputs, *args, **kwargs)

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        if not prediction_loss_only:  # logits of all positions, as they are compared with labels
            inputs = {name: value for name, value in inputs.items() if name != "logits_to_keep"}
            inputs["skip_logits"] = False
        return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        if self.learned_modules is None or self.base is None:
            super()._save(output_dir, state_dict)
            if self.args.should_save and self.base is not None and isinstance(self.model, PeftModel):
                note_base(Path(output_dir or self.args.output_dir), self.base)
        elif self.args.should_save:
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            save_learned(folder, self.model, self.learned_modules, self.base, state_dict)
            self.processing_class.save_pretrained(folder)

    def _save_checkpoint(self, model, trial):
        """As `Trainer`'s, but in a folder of its own, which is renamed when it is whole."""
        output, staging = Path(self.args.output_dir), Path(self.args.output_dir) / STAGING
        name = f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        with self.whole_or_nothing(staging, name):
            self.args.output_dir = str(staging)
            try:
                super()._save_checkpoint(model, trial)
            finally:
                self.args.output_dir = str(output)
            self.accelerator.wait_for_everyone()
            best = f"{PREFIX_CHECKPOINT_DIR}-{self.state.best_global_step}"
            if self.state.best_global_step and (best == name or (output / best).exists()):
                self.state.best_model_checkpoint = str(output / best)
            if self.is_world_process_zero():
                self.state.save_to_json(str(staging / name / TRAINER_STATE_NAME))  # once more, with the name it gets
                shutil.rmtree(output / name, ignore_errors=True)
                (staging / name).rename(output / name)
                staging.rmdir()
        if self.is_world_process_zero():
            rotate_checkpoints(
                output_dir=str(output),
                save_total_limit=self.args.save_total_limit,
                best_model_checkpoint=self.state.best_model_checkpoint,
                use_mtime=True,
            )
        self.push_checkpoint(output / name)
        self.accelerator.wait_for_everyone()

    @contextmanager
    def whole_or_nothing(self, staging: Path, what: str) -> Iterator[None]:
        """What is written to `staging` meanwhile is deleted if that fails, and a full disk gives a one-line error."""
        if self.is_world_process_zero():
            shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed while it wrote
        self.accelerator.wait_for_everyone()
        advice = "the checkpoints before it are complete. Free some space, and continue with --resume."
        try:
            with full_disk_in_one_line(staging.parent, what, advice):
                yield
        except BaseException:
            if self.is_world_process_zero():
                shutil.rmtree(staging, ignore_errors=True)
            raise

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model=None) -> None:
        if self.base is not None:
            refuse_another_base(resume_from_checkpoint, self.base.name, revision=self.base.revision)
        # By what is there: a run may go on with another `save`. FSDP keeps its own copy of everything.
        if isinstance(self.model, PeftModel) or self.is_fsdp_enabled or not is_adapter(resume_from_checkpoint):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            load_learned(resume_from_checkpoint, model or self.model)

    def _load_best_model(self) -> None:
        if isinstance(self.model, PeftModel) or not is_adapter(self.state.best_model_checkpoint):
            super()._load_best_model()
        else:
            load_learned(self.state.best_model_checkpoint, self.model)

    def _issue_warnings_after_load(self, load_result) -> None:
        tied = set(getattr(self.model, "all_tied_weights_keys", None) or ())
        if found := misfit({*load_result.missing_keys} - tied, {*load_result.unexpected_keys} - tied):
            raise ValueError(f"The checkpoint does not fit the model: {found}.")


def _refuse_lost_parameters(model: PreTrainedModel, base: Base | None) -> None:
    """Where `from_pretrained` has loaded an adapter, `save_pretrained` writes that and nothing else."""
    if not getattr(model, "_hf_peft_config_loaded", False):
        return
    learning = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    lost = [name for name in learning if ".lora_" not in name and ".modules_to_save." not in name]
    if lost or base is not None:
        raise ValueError(
            f"The model was loaded with its adapter, beside which checkpoints would lose {(lost or ['its base'])[0]}: load "
            "it without, from_pretrained(…, adapter_kwargs={'subfolder': 'none'}), and train the adapter further with "
            "minigpt4 train … --set use_peft=true."
        )


def _packs(model: PreTrainedModel, args: StageArguments) -> bool:
    why_not = why_not_packed(model)
    if args.packing and why_not:
        raise ValueError(f"packing is true, but {why_not}: leave packing out.")
    if args.packing is None:  # eager attention, and several GPUs in one process, get nothing from it
        return not why_not and args.n_gpu <= 1 and model.config.get_text_config()._attn_implementation != "eager"
    return args.packing
