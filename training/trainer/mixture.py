"""Mixtures in a `Trainer`: their data loader, its place in the data in every checkpoint, and a table at the end."""

import warnings
from functools import partial
from pathlib import Path

import torch
from accelerate.data_loader import prepare_data_loader
from accelerate.utils import gather_object
from rich.console import Console
from torch.utils.data import DataLoader
from transformers import BatchFeature, TrainerCallback

from minigpt4.training.data.mixtures import MixedBatch, MixedBatches
from minigpt4.training.data.rows import as_rows, number_rows
from minigpt4.training.data.tally import Drawn, Tally

from .resuming import ResumingTrainer


class MixtureTrainer(ResumingTrainer):
    """
    A `Trainer` that takes a [`Mixture`] for its `train_dataset`.

    Each process reads its own part. Checkpoints record where each process is in the data, so that a resumed run gets
    the batches that would have come next, and reads no others. It needs as many processes and workers as before.

    Batches have `drawn`, a [`Drawn`]. The table of what was drawn and lost is printed at the end.
    """

    tally: Tally | None = None

    def __init__(self, model, args, train_dataset=None, **kwargs):
        rows = None if train_dataset is None else as_rows(train_dataset)
        super().__init__(model, args, train_dataset=number_rows(rows, args.seed), **kwargs)
        if rows is not None and rows.counts_lost:
            self.tally = Tally(rows)  # type: ignore[arg-type]  # a mixture, as nothing else counts
            self.args.ignore_data_skip = True  # Trainer would read again all that was read, to skip it
            self.add_callback(_MixtureCallback(self.tally))

    def get_train_dataloader(self) -> DataLoader:
        if self.tally is None:
            return super().get_train_dataloader()
        args = self.args
        self.batches = MixedBatches(
            self.tally.mixture,
            args.per_device_train_batch_size,
            args.seed if args.data_seed is None else args.data_seed,
            args.process_index,
            args.world_size,
        )
        self.batches.refuse_too_few_shards(args.dataloader_num_workers)
        loader = DataLoader(
            self.batches,
            batch_size=None,
            collate_fn=partial(_collate, self.data_collator),
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory,
            persistent_workers=args.dataloader_persistent_workers,
            prefetch_factor=args.dataloader_prefetch_factor,
            generator=torch.Generator(),  # or it takes a number of the global one, which a resumed run lacks
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'set_vital' is deprecated")  # torchdata's
            self.loader = prepare_data_loader(
                loader,
                self.accelerator.device,
                num_processes=1,  # the batches are this process's already
                process_index=0,
                put_on_device=True,
                dispatch_batches=False,
                use_stateful_dataloader=True,
            )
        return self.loader

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        try:
            batches, num_items = super().get_batch_samples(epoch_iterator, num_batches, device)
        except (ValueError, OSError) as error:
            *trace, line = str(error).strip().splitlines() or [""]
            if not trace:
                raise
            raise type(error)(line.removeprefix(f"{type(error).__name__}: ")) from error  # a worker's, with its trace
        if self.tally:
            for batch in batches:
                self.tally.add(batch["drawn"])
        return batches, num_items

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        if self.tally:
            state = {"loader": self.loader.state_dict(), "tally": self.tally.state_dict(), **self._readers()}
            torch.save(state, self._state_file(output_dir))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        super()._load_rng_state(checkpoint)
        if self.tally and checkpoint:
            state = torch.load(self._state_file(checkpoint), weights_only=True)
            for what, now in self._readers().items():
                if state[what] != now:
                    raise ValueError(f"{checkpoint} is from a run with {what} {state[what]}, not {now}: use the same.")
            self.loader.load_state_dict(state["loader"])
            self.tally.load_state_dict(state["tally"])

    def _own_files(self) -> list[tuple[str, ...]]:
        return [*super()._own_files(), *([(self._state_file("").name,)] if self.tally else [])]

    def _readers(self) -> dict:
        """What must be the same when a run resumes."""
        return {
            "processes": self.args.world_size,
            "dataloader_num_workers": self.args.dataloader_num_workers,
            "sets": [each.name for each in self.batches.mixture.sets],
        }

    def _state_file(self, checkpoint: str) -> Path:
        return Path(checkpoint) / f"data_state_{self.args.process_index}.pt"


class _MixtureCallback(TrainerCallback):
    def __init__(self, tally: Tally):
        self.tally = tally

    def on_step_end(self, args, state, control, **kwargs):
        state.epoch = state.global_step / state.max_steps  # Trainer counts from where a run went on

    def on_train_end(self, args, state, control, **kwargs):
        states = gather_object([self.tally.state_dict()])
        if state.is_world_process_zero:
            Console(stderr=True).print(self.tally.table(states))


def _collate(collator, batch: MixedBatch) -> BatchFeature:
    features = collator(batch.rows)
    features["drawn"] = Drawn(batch.set, [row["source"] for row in batch.rows], batch.lost)
    return features
