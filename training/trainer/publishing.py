"""What a run puts on the Hub: the model as others can load it, and a card with what is known of the run."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from huggingface_hub import CommitInfo, ModelCard
from transformers import Trainer
from transformers.trainer_utils import HubStrategy

from minigpt4.hub_cards import gather_adapter, gather_model, is_adapter, merge_adapter, push
from minigpt4.hub_cards.card import CARD, Training, is_path, model_card, run_settings
from minigpt4.modeling_minigpt4.adapters_minigpt4 import Base
from minigpt4.training.arguments import StageArguments


class PublishingTrainer(Trainer):
    """
    A `Trainer` whose `push_to_hub` writes one commit, of the model, its processor, its code and its card.

    The optimizer and `training_args.bin`, which may contain a token, are never pushed. An adapter whose base is on the Hub
    is pushed as an adapter; one whose base is a local folder is merged with it first.

    Attributes:
        recipe (`str`, *optional*), data (`list[str]`): for the card, where they are known.
        trust_remote_code (`bool`): whether code of the checkpoint that is trained may run.
    """

    args: StageArguments
    base: Base | None = None
    recipe: str | None = None
    data: Sequence[str] = ()
    trust_remote_code: bool = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Counted now: once an adapter is merged, nothing tells its parameters from the others.
        self.learned = sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)
        self.frozen = self.model.num_parameters() - self.learned  # which knows how many are packed into a byte

    def create_model_card(self, *args, **kwargs) -> None:
        """Write the card into `output_dir`."""
        if self.is_world_process_zero():
            self._card(Path(self.args.output_dir)).save(Path(self.args.output_dir) / CARD)

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        **kwargs,
    ) -> CommitInfo | None:
        """See `Trainer.push_to_hub`. Always waits until the upload is complete."""
        self.save_model(_internal_call=True)
        return self._publish(Path(self.args.output_dir), commit_message, token, revision, private)

    def push_checkpoint(self, folder: Path) -> None:
        """Push a checkpoint if the arguments ask for pushes before the end of training."""
        if self.args.push_to_hub and self.args.hub_strategy != HubStrategy.END:
            self._publish(folder, f"Training in progress, step {self.state.global_step}")

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        """Does nothing: it is called before the checkpoint has its final name."""

    def _publish(
        self,
        folder: Path,
        message: str | None,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
    ) -> CommitInfo | None:
        if not self.is_world_process_zero():
            return None
        token = token or self.args.hub_token
        if self.hub_model_id is None:
            self.init_hf_repo(token=token, private=private)
        with tempfile.TemporaryDirectory() as temporary:
            self._card(folder).save(folder / CARD)
            if is_adapter(folder) and (self.base is None or is_path(self.base.name)):
                merge_adapter(folder, Path(temporary) / "merged", self.trust_remote_code)
                folder = Path(temporary) / "merged"
            gather = gather_adapter if is_adapter(folder) else gather_model
            upload = gather(folder, trust_remote_code=self.trust_remote_code)
            return push(
                upload.named(self.hub_model_id),
                self.hub_model_id,
                private=bool(private if private is not None else self.args.hub_private_repo),
                revision=revision or self.args.hub_revision,
                message=message or "Upload MiniGPT-4",
                token=token,
            )

    def _card(self, folder: Path) -> ModelCard:
        args = self.args
        batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        settings = {
            "learning rate": f"{args.learning_rate:g}, from {args.warmup_lr:g} over the warm-up, to {args.min_lr:g}",
            "warm-up steps": args.get_warmup_steps(self.state.max_steps),
            "batch": batch,
            "AdamW": f"betas {args.adam_beta1:g}, {args.adam_beta2:g}; weight decay {args.weight_decay:g}",
            "precision": "bfloat16" if args.bf16 else "float16" if args.fp16 else "float32",
            "seed": args.seed,
        }
        settings |= run_settings(vars(self.state))
        mask = args.mask if isinstance(args.mask, str) else " ".join(args.mask)
        return model_card(
            folder,
            base=self.base.name if self.base is not None else None,
            training=Training(
                self.learned,
                self.frozen,
                modules=[f"mask `{mask}`"],
                settings=settings,
                recipe=self.recipe,
                data=self.data,
            ),
        )


def data_names(data: str | Sequence[str | Mapping] | None) -> list[str]:
    """What a recipe trains on, without the folders of this machine."""
    sets = [data] if isinstance(data, str) else data or ()
    names = [one if isinstance(one, str) else one["name"] for one in sets]
    return [Path(name).name if is_path(name) else name for name in names]
