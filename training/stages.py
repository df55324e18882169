"""Training stages, as a thin layer on transformers' `Trainer`."""

from transformers import PreTrainedModel, ProcessorMixin, Trainer

from .arguments import StageArguments
from .collation import SequenceArguments, SequenceCollator
from .finiteness import NonFiniteError, describe_non_finite, is_finite
from .masks import apply_mask, print_learning_table
from .recipe import load_recipe
from .rows import number_rows
from .schedule import published_schedule


class StageTrainer(Trainer):
    """
    Trains what the mask names on the published sequences, with the published optimizer and learning rates.

    What learns is held in float32, whatever the model came in. The first loss or gradient that is not finite stops the
    run before it reaches the weights.

    Args:
        model (`MiniGPT4ForConditionalGeneration` or a `PeftModel` of one): its `requires_grad` flags are set by the mask.
        args (`StageArguments`): how to train.
        sequence (`SequenceArguments`): the form of the training sequence.
        processing_class (`MiniGPT4Processor`): saved with the model.
        train_dataset, eval_dataset: rows with an `image` and its `text`, or with `images` and `messages`.
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
        **kwargs,
    ):
        apply_mask(model, args.mask)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()  # steps of 1e-5 would be lost in bfloat16
        args.remove_unused_columns = False  # the collator reads columns that no forward has: image and text
        super().__init__(
            model,
            args,
            data_collator=SequenceCollator(processing_class, sequence, seed=args.seed),
            processing_class=processing_class,
            train_dataset=train_dataset if train_dataset is None else number_rows(train_dataset),
            eval_dataset=eval_dataset if eval_dataset is None else number_rows(eval_dataset),
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
        loss = super().training_step(model, inputs, num_items_in_batch)
        # Before clipping, which would spread one bad gradient over all of them.
        if not is_finite(loss, self.model):
            rows = inputs["rows"].tolist() if "rows" in inputs else None
            raise NonFiniteError(describe_non_finite(self, inputs, rows, loss))
        return loss

    def compute_loss(self, model, inputs, *args, **kwargs):
        return super().compute_loss(
            model, {name: value for name, value in inputs.items() if name != "rows"}, *args, **kwargs
        )


__all__ = ["StageArguments", "StageTrainer", "load_recipe"]
