"""A MiniGPT-4 for lmms-eval: `--model minigpt4 --model_args pretrained=DIR`."""

from itertools import groupby
from typing import Any

from lmms_eval.api.model import lmms
from PIL.Image import Image
from tqdm.auto import tqdm

from minigpt4.checkpoints.loading import load
from minigpt4.inference.answering import answer
from minigpt4.inference.turns import user_turn

from .wording import as_read, as_trained


# What generate is given of a task's settings; the others are for other models.
SETTINGS = ("max_new_tokens", "do_sample", "temperature", "top_p", "top_k", "num_beams")


class MiniGPT4(lmms):
    """
    Args:
        pretrained (`str`): folder or Hub id of a model or an adapter.
        batch_size (`int`, *optional*, defaults to 1): questions at once.
        identifier (`str`, *optional*, defaults to `"vqa"`): the task of MiniGPT-v2 for questions; empty for none.
        trust_remote_code (`bool`, *optional*, defaults to `False`): as for `from_pretrained`.
        device, max_batch_size (*optional*): the harness gives them; the model is put on what there is.
    """

    def __init__(
        self, pretrained, batch_size=1, identifier="vqa", trust_remote_code=False, device=None, max_batch_size=None
    ):
        super().__init__()
        self.model, self.processor = load(pretrained, trust_remote_code=bool(trust_remote_code))
        self.batch_size, self.identifier, self.device = int(batch_size), identifier, self.model.device

    def generate_until(self, requests) -> list[str]:
        """The answers to requests, which are pictures and texts, in their order."""
        answers: dict[int, str] = {}
        arguments = [request.args for request in requests]
        order = sorted(range(len(requests)), key=lambda index: (repr(arguments[index][1]), len(arguments[index][0])))
        with tqdm(total=len(requests), desc="answers", disable=self.rank != 0) as progress:
            for _, group in groupby(order, key=lambda index: repr(arguments[index][1])):
                alike = list(group)  # of one setting
                for start in range(0, len(alike), self.batch_size):
                    batch = alike[start : start + self.batch_size]
                    answers |= zip(batch, self._answer([arguments[index] for index in batch]), strict=True)
                    progress.update(len(batch))
        return [answers[index] for index in range(len(requests))]

    def _answer(self, batch: list[tuple]) -> list[str]:
        chats = []
        for text, _, doc_to_visual, number, task, split in batch:
            pictures = doc_to_visual(self.task_dict[task][split][number]) or []
            if not all(isinstance(picture, Image) for picture in pictures):
                raise ValueError(f"The task {task} has something else than pictures, which these models cannot see.")
            chats.append([user_turn(as_trained(text, self.processor.task_identifiers, self.identifier), *pictures)])
        given = batch[0][1]
        settings: dict[str, Any] = {name: given[name] for name in SETTINGS if given.get(name) is not None}
        if not (settings.get("do_sample") or settings.get("temperature")):
            settings = {name: settings[name] for name in settings if name in ("max_new_tokens", "num_beams")}
            settings["do_sample"] = False
        until = given.get("until") or []
        ends = [end for end in ([until] if isinstance(until, str) else until) if end.strip()]
        made = [one.text for one in answer(self.model, self.processor, chats, ends=ends, **settings)]
        return [as_read(_before(text, ends), side=1) for text in made]

    def loglikelihood(self, requests):
        """Not offered: tasks of this kind rank texts without pictures."""
        raise NotImplementedError("minigpt4 answers tasks of the type generate_until only: choose another task.")

    def generate_until_multi_round(self, requests):
        """Not offered."""
        raise NotImplementedError("minigpt4 answers tasks of the type generate_until only: choose another task.")


def _before(text: str, ends: list[str]) -> str:
    """The text in front of the first end in it."""
    return text[: min((found for end in ends if (found := text.find(end)) >= 0), default=len(text))].strip()
