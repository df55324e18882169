"""What the model answers while it learns: a few fixed pictures, at every evaluation."""

import json
from collections.abc import Sequence
from pathlib import Path

from transformers import Trainer, TrainerCallback

from minigpt4.checkpoints.writing import unfinished_file
from minigpt4.inference.answering import ContextLimitError, answer_batch
from minigpt4.training.row import Row, row_images
from minigpt4.training.sequences.collation import SequenceCollator


ANSWER_TOKENS = 200


class SampleAnswers(TrainerCallback):
    """
    Answers the same few rows at every evaluation, greedily, from their prompts alone.

    Args:
        trainer (`StageTrainer`): its model answers.
        rows (`Sequence[Row]`): rows as they are trained on; what is learned of them is what should come out.
        file (`Path`): each evaluation adds one JSON line for each row: `step`, `row`, `prompt`, `expected`, `answer`.
    """

    def __init__(self, trainer: Trainer, rows: Sequence[Row], file: Path):
        self.trainer, self.rows, self.file = trainer, rows, file

    def on_evaluate(self, args, state, control, **kwargs):
        # Every process answers, since a sharded model needs all of them; the first one writes.
        lines = [{"step": state.global_step, **self.answer(row)} for row in self.rows]
        if state.is_world_process_zero:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # A run that goes on comes to evaluations again that were after its last checkpoint.
            before = self.file.read_text(encoding="utf-8").splitlines() if self.file.is_file() else []
            before = [line for line in before if json.loads(line)["step"] < state.global_step]
            text = "\n".join([*before, *(json.dumps(line, ensure_ascii=False) for line in lines)])
            with unfinished_file(self.file) as part:
                part.write_text(text + "\n", encoding="utf-8")

    def answer(self, row: Row) -> dict:
        collator: SequenceCollator = self.trainer.data_collator
        processor, model = collator.processor, self.trainer.model
        segments = collator.segments(row)
        learned = next(index for index, segment in enumerate(segments) if segment.learned)
        prompt = "".join(segment.text for segment in segments[:learned])
        images = row_images(row)[: prompt.count(processor.image_token)]  # later questions may show others
        inputs = processor(images=images or None, text=prompt, add_special_tokens=False, return_tensors="pt")
        # Stage 1 ends its captions with a line break, which no generation config knows.
        ends = ["\n"] if segments[learned].text.endswith("\n") else []
        number = {"row": row["row"]} if "row" in row else {}
        sample = {**number, "prompt": prompt, "expected": segments[learned].text}
        was_training = model.training
        model.eval()
        try:
            with self.trainer.accelerator.autocast():
                [answer] = answer_batch(
                    model, processor, inputs.to(model.device), ends=ends, do_sample=False, max_new_tokens=ANSWER_TOKENS
                )
        except ContextLimitError as error:  # training reads what fits
            return {**sample, "answer": "", "error": str(error)}
        finally:
            model.train(was_training)
        return {**sample, "answer": answer.text}
