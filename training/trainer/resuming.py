"""Resuming from a checkpoint, which must be complete and of this run, as if training had never stopped."""

import math
from pathlib import Path

from accelerate.utils import gather_object
from rich.console import Console
from transformers import Trainer, TrainerState
from transformers.trainer import SCALER_NAME, TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint, has_length

from .damage import find_damage, find_missing


class ResumingTrainer(Trainer):
    """
    A `Trainer` that resumes from a checkpoint as if it had never stopped.

    Rows and their order are those of the epoch, in every process, wherever in the epoch it resumes. A run that has done
    all its steps changes nothing. Checkpoints that are not whole are refused.

    Raises:
        ValueError: from `train(resume_from_checkpoint=…)`: a file of the checkpoint is missing, cut short or damaged, or
            another batch would be read at each step.
    """

    def train(self, resume_from_checkpoint: str | bool | None = None, *args, **kwargs):
        if resume_from_checkpoint is True:
            resume_from_checkpoint = get_last_checkpoint(str(self.args.output_dir)) or True
        if isinstance(resume_from_checkpoint, str | Path):
            self._refuse_damaged(Path(resume_from_checkpoint))
            self._refuse_other_batches(Path(resume_from_checkpoint))
        return super().train(resume_from_checkpoint, *args, **kwargs)

    def _refuse_damaged(self, checkpoint: Path) -> None:
        damage = self._damage(checkpoint)
        if damage is None:
            return
        others = sorted(checkpoint.parent.glob(f"{PREFIX_CHECKPOINT_DIR}-*"), key=_step, reverse=True)
        damaged = [checkpoint.name]
        advice = f"No other checkpoint in {checkpoint.parent} is complete: start again in another output_dir."
        for other in others:
            if other == checkpoint:
                continue
            if self._damage(other) is None:
                delete = " and ".join(damaged)
                advice = f"Delete {delete}: --resume then continues from {other.name}, the newest complete one."
                break
            damaged.append(other.name)
        raise ValueError(f"{checkpoint} is incomplete or damaged: {damage}. {advice}")

    def _damage(self, checkpoint: Path) -> str | None:
        """What any process finds. Each asks for files of its own; one on each machine reads all that are there."""
        found = find_missing(checkpoint, self._own_files())
        if found:
            found += " (resume with the same number of processes, data and precision)"
        elif self.args.local_process_index == 0:
            found = find_damage(checkpoint)
        return next(filter(None, gather_object([found])), None)

    def _own_files(self) -> list[tuple[str, ...]]:
        """Files without which this process would continue differently; one of each tuple must be there."""
        index, processes = self.args.process_index, self.args.world_size
        # One process may go on for several and the reverse, which draw other numbers anyway.
        rng = ("rng_state.pth", "rng_state_0.pth") if processes == 1 else (f"rng_state_{index}.pth", "rng_state.pth")
        return [rng, *([(SCALER_NAME,)] if self.accelerator.scaler is not None else [])]

    def _refuse_other_batches(self, checkpoint: Path) -> None:
        """`Trainer` counts in steps what was read: with larger ones it would pass over rows, with smaller ones repeat them."""
        args, rows = self.args, self.train_dataset
        if args.ignore_data_skip or args.auto_find_batch_size or not has_length(rows):
            return
        state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        size, accumulated = args.train_batch_size * args.world_size, args.gradient_accumulation_steps
        batches = max(1, len(rows) // size if args.dataloader_drop_last else math.ceil(len(rows) / size))
        epochs, steps = divmod(state.global_step, math.ceil(batches / accumulated))
        now = epochs + min(steps * accumulated, batches) / batches
        if abs(now - (state.epoch or 0.0)) * batches >= 1:
            raise ValueError(
                f"{checkpoint} is at {state.epoch:g} epochs, which with this data and batch would be {now:g}: use as many "
                "rows, batch size x accumulation x processes as before, or --set ignore_data_skip=true to restart the "
                "epoch."
            )

    def _init_training_state(self, max_steps, num_update_steps_per_epoch, num_train_epochs, checkpoint, trial):
        begin = super()._init_training_state(
            max_steps, num_update_steps_per_epoch, num_train_epochs, checkpoint, trial
        )
        if checkpoint is None or self.state.global_step < max_steps:
            return begin
        self._load_rng_state(checkpoint)
        if self.is_world_process_zero():
            more = "max_steps" if self.args.max_steps > 0 else "num_train_epochs"
            Console(stderr=True).print(
                f"This run is finished: {Path(checkpoint).name} is of step {self.state.global_step}, and it was to have "
                f"{max_steps}. Nothing is trained; with a larger {more} it goes on.",
                soft_wrap=True,
                highlight=False,
            )
        return num_train_epochs, 0  # no epoch is left; Trainer would do one step more

    def _run_epoch(self, *, epoch, train_dataloader, **kwargs):
        # accelerate passes the epoch on to the rows or to their order, and to neither through the wrappers of several
        # processes and of batches that are skipped.
        for each in (train_dataloader, self.train_dataset):
            if hasattr(each, "set_epoch"):
                each.set_epoch(epoch)
        super()._run_epoch(epoch=epoch, train_dataloader=train_dataloader, **kwargs)


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1
