"""The processor of MiniGPT-4: images and text, or a chat, into the model's inputs; ids back into an answer."""

import re

from transformers.image_utils import ImageInput
from transformers.processing_utils import MultiModalData, ProcessorMixin
from transformers.utils import to_py_obj

from .boxes import Grounding, parse_grounding


# What the published code cuts off answers, whatever the model: what follows the first, and what comes before the second.
_NEXT_TURN, _ROLE = "###", "Assistant:"


class MiniGPT4Processor(ProcessorMixin):
    """
    One image processor and one tokenizer, called as those of LLaVA: `processor(images=…, text=…)`,
    `apply_chat_template`, `batch_decode`, `post_process_image_text_to_text`.

    Every `<ImageHere>` in the text becomes `num_image_tokens` of them, which the model replaces by image embeddings.
    A text that begins with the start token (as rendered chats do) does not get a second one, unless
    `add_special_tokens=True` asks for it.

    Args:
        image_processor (`MiniGPT4ImageProcessor` or `MiniGPT4ImageProcessorPil`):
            Any image processor that returns one `pixel_values` entry per image.
        tokenizer (`PreTrainedTokenizerFast`):
            From `load_llama_tokenizer` or `exact_tokenizer`; must know the image token.
        chat_template (`str`, *optional*):
            Jinja source; `chat_template("vicuna")` and its like come with the package.
        num_image_tokens (`int`, defaults to 32):
            Positions of one image in the sequence: 32 with the Q-Former, 64 or 256 in the published models without.
            Must equal the `num_image_tokens` of the model's configuration.
        image_token (`str`, defaults to `"<ImageHere>"`):
            Stands for one image in a prompt; the tokenizer's own `image_token` takes precedence.
        stop_strings (`list[str]`, defaults to `["###", "</s>"]`):
            What the model writes at the end of an answer. Decoding without special tokens leaves it out where the end token
            follows, and `post_process_image_text_to_text` ends an answer before the first of these, or before `###`.
        task_identifiers (`list[str]`, defaults to none):
            The tasks that the model was trained to do when an instruction begins with their name in square brackets:
            `vqa`, `caption`, `grounding`, `refer`, `identify` and `detection` in MiniGPT-v2.
        answer_starts (`list[str]`, defaults to `["###Assistant:", "[/INST]"]`):
            After which of these an answer begins in a chat, as `chat_template` writes it. The default knows the published
            chats.
        published_cuts (`bool`, defaults to `True`):
            Cut answers as the published code does, whatever the model: before `###`, and behind `Assistant:`. `False` for a
            language model in its own chat form, where `###` is a heading.

    Raises:
        ValueError: in a call, where the text is empty, where placeholders and images do not match, or where
            truncation would cut an image; and whatever `load_image` raises for a picture.
    """

    _auto_class = "AutoProcessor"  # so that the code is saved too

    def __init__(
        self,
        image_processor=None,
        tokenizer=None,
        chat_template: str | None = None,
        num_image_tokens: int = 32,
        image_token: str = "<ImageHere>",
        stop_strings: list[str] | tuple[str, ...] = ("###", "</s>"),
        task_identifiers: list[str] | tuple[str, ...] = (),
        answer_starts: list[str] | tuple[str, ...] = ("###Assistant:", "[/INST]"),
        published_cuts: bool = True,
    ):
        if num_image_tokens < 1:
            raise ValueError(f"num_image_tokens must be at least 1 (got {num_image_tokens}).")
        self.num_image_tokens = num_image_tokens
        self.image_token = getattr(tokenizer, "image_token", None) or image_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        if self.image_token_id in (None, tokenizer.unk_token_id):
            raise ValueError(
                f"The tokenizer has no token {self.image_token!r} for images: make it with `exact_tokenizer` or "
                "`load_llama_tokenizer`, or add it as a special token."
            )
        self.stop_strings = list(stop_strings)
        self.task_identifiers = list(task_identifiers)
        self.answer_starts = list(answer_starts)
        self.published_cuts = published_cuts
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    @property
    def pad_token_id(self) -> int:
        """The tokenizer's: `Seq2SeqTrainer` asks for it here, and pads generated rows with it."""
        return self.tokenizer.pad_token_id

    def to_dict(self) -> dict:
        """What is saved. It names this class for those who load it with `trust_remote_code=True`."""
        return super().to_dict() | {"auto_map": {self._auto_class: "processing_minigpt4.MiniGPT4Processor"}}

    def prepare_inputs_layout(self, images: ImageInput | None = None, text=None, **kwargs):
        if not _has_image(images):
            images = None  # [] and [[], []], which datasets give for rows without pictures
        images, text, *others = super().prepare_inputs_layout(images=images, text=text, **kwargs)
        if text is not None and "add_special_tokens" not in {**kwargs, **kwargs.get("text_kwargs", {})}:
            text = self._without_start(text)
        return images, text, *others

    def _without_start(self, text: list[str]) -> list[str]:
        """Take off the start token that the tokenizer is going to add."""
        bos_token = self.tokenizer.bos_token
        if bos_token is None or self.tokenizer.encode("")[:1] != [self.tokenizer.bos_token_id]:
            return text
        return [row.removeprefix(bos_token) if isinstance(row, str) else row for row in text]

    def validate_inputs(self, images: ImageInput | None = None, text=None, **kwargs):
        if text is not None and all(isinstance(row, str) for row in text):
            for index, row in enumerate(text):
                if not row.strip():
                    raise ValueError(f"The text of row {index} is empty: pass a prompt.")
            placeholders = [row.count(self.image_token) for row in text]
            rows = images if isinstance(images, list | tuple) else []
            if len(rows) == len(text) and all(isinstance(row, list | tuple) for row in rows):
                for index, (expected, row) in enumerate(zip(placeholders, rows, strict=True)):
                    if expected != len(row):
                        raise ValueError(
                            f"Row {index} has {expected} {self.image_token} in its text, but {len(row)} images: "
                            "write one for each image."
                        )
        super().validate_inputs(images=images, text=text, **kwargs)

    def replace_image_token(self, image_inputs: dict, image_idx: int, **kwargs) -> str:
        return self.image_token * self.num_image_tokens

    def _check_special_mm_tokens(self, text, text_inputs, modalities):
        try:
            super()._check_special_mm_tokens(text, text_inputs, modalities=modalities)
        except ValueError as error:
            for index, (row, ids) in enumerate(zip(text, text_inputs["input_ids"], strict=True)):
                kept, expected = list(ids).count(self.image_token_id), row.count(self.image_token)
                if kept != expected:
                    raise ValueError(
                        f"Truncation to {len(ids)} tokens would leave {kept} of the {expected} image tokens of row "
                        f"{index}: an image is never cut, so raise max_length or shorten the text before the image."
                    ) from error
            raise

    def _get_num_multimodal_tokens(self, image_sizes: list[list[int]] | None = None, **kwargs) -> MultiModalData:
        """Placeholder tokens and patches per image of the given (height, width); serving engines ask for it."""
        if image_sizes is None:
            return MultiModalData()
        return MultiModalData(
            num_image_tokens=[self.num_image_tokens] * len(image_sizes), num_image_patches=[1] * len(image_sizes)
        )

    @property
    def end_marks(self) -> list[str]:
        """Before which of these comes first the text of an answer ends: the checkpoint's `stop_strings`, and `###` as published."""
        return list(dict.fromkeys((*([_NEXT_TURN] if self.published_cuts else []), *self.stop_strings)))

    def decode(self, token_ids, skip_special_tokens: bool = False, **kwargs) -> str | list[str]:
        """
        As the tokenizer's. With `skip_special_tokens` a mark of `stop_strings` right before the end token is left out with it.

        Args:
            token_ids (`torch.Tensor`, `np.ndarray` or lists of `int`, shape `(batch, length)` or `(length,)`): ids.
            skip_special_tokens (`bool`, defaults to `False`): leave special tokens out of the text.
            kwargs: further arguments of the tokenizer's `decode`.

        Returns:
            `str`, or `list[str]` for a batch.
        """
        if skip_special_tokens:
            token_ids = self._without_end_marks(to_py_obj(token_ids))
        return self.tokenizer.decode(token_ids, skip_special_tokens=skip_special_tokens, **kwargs)

    def batch_decode(self, sequences, skip_special_tokens: bool = False, **kwargs) -> list[str]:
        """As `decode`, and a list for a single row, too."""
        if skip_special_tokens:
            sequences = self._without_end_marks(to_py_obj(sequences))
        return self.tokenizer.batch_decode(sequences, skip_special_tokens=skip_special_tokens, **kwargs)

    def _without_end_marks(self, ids):
        """Takes off the ids of the mark before each end token."""
        if not isinstance(ids, list | tuple):
            return ids
        if ids and not isinstance(ids[0], int):
            return [self._without_end_marks(row) for row in ids]
        kept: list[int] = []
        for token in ids:
            if token == self.tokenizer.eos_token_id:
                kept = kept[: len(kept) - self._length_of_mark(kept)]
            kept.append(token)
        return kept

    def _length_of_mark(self, ids: list[int]) -> int:
        """How many ids at the end are a mark; 0 where there is none."""
        longest = max(map(len, self.stop_strings), default=0)
        for length in range(1, len(ids) + 1):
            text = self.tokenizer.decode(ids[-length:]).strip()
            if text in self.stop_strings:
                return length
            if len(text) > longest:
                break
        return 0

    def post_process_image_text_to_text(self, generated_outputs, skip_special_tokens: bool = True, **kwargs):
        """
        Decode what `generate` returned and end each answer where it ends.

        Args:
            generated_outputs (`torch.Tensor`, `np.ndarray` or lists of `int`, shape `(batch, length)` or `(length,)`):
                New ids only, or the whole sequence with its prompt. A whole sequence begins with the start token: its
                prompt is kept, and only the answer after it is ended.
            skip_special_tokens (`bool`, defaults to `True`):
                Leave special tokens out of the text.
            kwargs:
                Further arguments of the tokenizer's `batch_decode`.

        Returns:
            `list[str]`, or `str` for one sequence: answers as the published code cuts them, without the first of `end_marks`
            and what follows, without what comes before `Assistant:`, and without space around.
        """
        rows = generated_outputs.tolist() if hasattr(generated_outputs, "tolist") else list(generated_outputs)
        if rows and isinstance(rows[0], int):
            return self.post_process_image_text_to_text([rows], skip_special_tokens=skip_special_tokens, **kwargs)[0]
        rows = [row.tolist() if hasattr(row, "tolist") else list(row) for row in rows]
        texts = self.batch_decode(rows, skip_special_tokens=skip_special_tokens, **kwargs)
        return [
            self._with_prompt(text) if self._begins(ids, text) else self._answer(text)
            for ids, text in zip(rows, texts, strict=True)
        ]

    def post_process_grounding(self, text: str, image_size: tuple[int, int]) -> Grounding:
        """
        Read phrases and boxes out of an answer of MiniGPT-v2.

        Args:
            text (`str`): an answer, as `post_process_image_text_to_text` gives it.
            image_size (`tuple[int, int]`): (width, height) in pixels, as `image.size` of a PIL image.

        Returns:
            `Grounding`: the text without marks, its phrases with boxes in pixels, and what was not understood.
        """
        return parse_grounding(text, image_size)

    def _begins(self, ids: list[int], text: str) -> bool:
        start = self.tokenizer.bos_token_id
        if start is None:  # then only a chat can be told from an answer
            return any(mark in text for mark in self.answer_starts)
        first = next((token for token in ids if token == start or token != self.tokenizer.pad_token_id), None)
        return first is not None and first == start

    def _answer(self, text: str) -> str:
        for mark in self.end_marks:
            text = text.partition(mark)[0]
        return (text.rpartition(_ROLE)[2] if self.published_cuts else text).strip()

    def _with_prompt(self, text: str) -> str:
        # With one space before the answer, whatever the tokens say: the pipeline takes the text of the prompt off
        # the front of this one, and what remains is the answer alone.
        if start := max((text.rfind(mark) + len(mark) for mark in self.answer_starts if mark in text), default=0):
            return f"{text[:start]} {self._answer(text[start:])}"
        marks = "|".join(map(re.escape, self.end_marks))
        return re.sub(rf"\s*({marks})\s*$", "", text)


def _has_image(images) -> bool:
    if isinstance(images, list | tuple):
        return any(_has_image(image) for image in images)
    return images is not None
