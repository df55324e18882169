"""A MiniGPT-4 for VLMEvalKit, which has a list of models: `supported_VLM["NAME"] = partial(MiniGPT4, "DIR")`."""

from typing import Any

from vlmeval.dataset import DATASET_TYPE
from vlmeval.vlm.base import BaseModel

from minigpt4.checkpoints.loading import load
from minigpt4.inference.answering import answer
from minigpt4.inference.turns import user_turn

from .wording import as_read, as_trained


class MiniGPT4(BaseModel):
    """
    Args:
        model_path (`str`): folder or Hub id of a model or an adapter.
        max_new_tokens (`int`, *optional*, defaults to 512): the longest answer.
        identifier (`str`, *optional*, defaults to `"vqa"`):
            The task of MiniGPT-v2 for questions; empty for none. Sets of captions have `caption`.
        trust_remote_code (`bool`, *optional*, defaults to `False`): as for `from_pretrained`.
        settings: of `generate`. Answers are greedy without any.
    """

    INTERLEAVE = True
    allowed_types = ["text", "image"]

    def __init__(self, model_path, max_new_tokens=512, identifier="vqa", trust_remote_code=False, **settings):
        super().__init__()
        self.model, self.processor = load(model_path, trust_remote_code=trust_remote_code)
        self.identifier = identifier
        self.settings: dict[str, Any] = {"do_sample": False, "max_new_tokens": max_new_tokens, **settings}

    def generate_inner(self, message, dataset=None) -> str:
        """The answer to a message, whose pictures come first."""
        pictures = [part["value"] for part in message if part["type"] == "image"]
        text = "\n".join(part["value"] for part in message if part["type"] == "text")
        identifier = "caption" if self._is_of_captions(dataset) else self.identifier
        prompt = as_trained(text, self.processor.task_identifiers, identifier)
        [made] = answer(self.model, self.processor, [[user_turn(prompt, *pictures)]], **self.settings)
        return as_read(made.text, side=1000)

    @staticmethod
    def _is_of_captions(dataset: str | None) -> bool:
        return dataset is not None and DATASET_TYPE(dataset, default="") == "Caption"
