"""Answers that several threads ask for at once, generated together: rows join a running batch, and leave it when they end."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate.utils import get_max_memory
from transformers import DynamicCache, GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from minigpt4.inference.batch_cache import BatchCache, keeps_all_positions
from minigpt4.inference.prompt_cache import may_be_shared


if TYPE_CHECKING:
    from transformers.generation.streamers import BaseStreamer

    from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration

_Made = TypeVar("_Made")

MOST_ROWS = 16
SHARE = 1 / 3  # of the memory that is free at the start: for keys and values, which are copied when a row joins


class Engine:
    """
    One model that answers several threads at once.

    [`~Engine.generate`] may be called from any thread, and returns what the model's own `generate` does. Requests begin in the
    order in which they came, one between two steps; all that have begun take their steps together, each with its own settings.
    What cannot share steps (beam search, an assistant model, a language model with sliding windows or states) has the model
    to itself until it is done.

    The thread that does the work exists only as long as there is work.

    Args:
        model (`MiniGPT4ForConditionalGeneration`): its parameters and what prepares a generation.
        generate (`Callable`, *optional*): called in place of the model's `generate`.
        most_rows (`int`, *optional*, defaults to 16):
            How many are answered together, at most; fewer where their keys and values would take more than a third of the
            memory that was free at the start.
    """

    def __init__(
        self,
        model: "MiniGPT4ForConditionalGeneration",
        generate: Callable[..., Any] | None = None,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._model = model
        self._generate = generate or model.generate
        self._most_rows = most_rows
        self._joins = keeps_all_positions(DynamicCache(config=model.config.get_text_config()))
        self._waiting: deque[_Task] = deque()
        self._changed = Condition()
        self._thread: Thread | None = None
        memory = get_max_memory()
        device = model.device
        self._bytes = SHARE * memory.get(device.type if device.index is None else device.index, float("inf"))

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """What `generate` of the model returns, when it is complete; arguments as for [`~Engine.submit`]."""
        return self.submit(*args, **kwargs).result()

    def submit(
        self, inputs: Any = None, generation_config: Any = None, *, seed: int | None = None, **kwargs: Any
    ) -> "Future[Any]":
        """
        Join the line.

        Args:
            inputs, generation_config: as for `generate`.
            seed (`int`, *optional*):
                Of what is sampled. Default: the next of PyTorch's random numbers. A row has its own random numbers, whoever
                else is answered.
            kwargs: as for `generate`. Stopping criteria are also asked before a request begins.

        Returns:
            `Future`: what `generate` of the model returns.
        """
        length = self._length(inputs, generation_config, kwargs)
        if length is None:
            return self._join(_Task(partial(self._generate, inputs, generation_config, **kwargs)))
        seed = int(torch.randint(2**62, ())) if seed is None else seed
        # `generate` shows the prompt to the streamer, and does not hand it on.
        row = partial(_Row, streamer=kwargs.get("streamer"), seed=seed)
        criteria = StoppingCriteriaList(kwargs.get("stopping_criteria") or [])
        work = partial(self._generate, inputs, generation_config, **kwargs, custom_generate=row)
        return self._join(_Task(work, length, kwargs["input_ids"], criteria, kwargs.get("streamer")))

    def run(self, work: Callable[[], _Made]) -> _Made:
        """What `work` returns, which is called between two steps: nothing else uses the model meanwhile."""
        return self._join(_Task(work)).result()

    def _length(self, inputs: Any, generation_config: Any, kwargs: dict[str, Any]) -> int | None:
        """How many positions a request may come to need; `None` if it cannot share steps with others."""
        ids, mask, cache = (kwargs.get(name) for name in ("input_ids", "attention_mask", "past_key_values"))
        if inputs is not None or ids is None or len(ids) != 1 or "custom_generate" in kwargs or not self._joins:
            return None
        if (mask is not None and not mask.all()) or (cache is not None and not keeps_all_positions(cache)):
            return None
        config, others = self._model._prepare_generation_config(generation_config, **kwargs)
        if not may_be_shared(config, others.get("assistant_model")) or config.return_dict_in_generate:
            return None
        return ids.shape[1] + (config.max_new_tokens or config.max_length or 0)

    def _join(self, task: "_Task") -> "Future[Any]":
        with self._changed:
            self._waiting.append(task)
            if self._thread is None:
                self._thread = Thread(target=self._work, daemon=True, name="engine")
                self._thread.start()
        return task.result

    def _work(self) -> None:
        batch = _Batch(self._model)
        try:
            self._answer(batch)
        except BaseException as error:  # whoever waits must not wait for ever
            with self._changed:
                self._thread = None
                left: list[_Row | _Task] = [*batch.rows, *self._waiting]
                self._waiting.clear()
            for each in left:
                if not each.result.done():
                    each.result.set_exception(error)

    @torch.no_grad()
    def _answer(self, batch: "_Batch") -> None:
        while (task := self._next(batch)) is not None or batch.rows:
            if task is not None:
                self._begin(task, batch)
            del task  # its pictures
            with self._model._optimize_model_for_decode():
                while batch.rows:
                    batch.step()
                    if self._may_begin(batch):
                        break

    def _next(self, batch: "_Batch") -> "_Task | None":
        """The first in the line, if it may begin. Without it and without rows, the thread ends."""
        with self._changed:
            if self._may_begin(batch):
                return self._waiting.popleft()
            if not batch.rows:
                self._thread = None
            return None

    def _may_begin(self, batch: "_Batch") -> bool:
        with self._changed:
            for task in [task for task in self._waiting if task.is_stopped()]:
                self._waiting.remove(task)
                task.finish()
            if not self._waiting:
                return False
            length = self._waiting[0].length
            if length is None or not batch.rows:
                return True
            return len(batch.rows) < self._most_rows and batch.bytes_with(length) <= self._bytes

    def _begin(self, task: "_Task", batch: "_Batch") -> None:
        try:
            made = task.work()
        except BaseException as error:
            task.result.set_exception(error)
            return
        if not isinstance(made, _Row):
            task.result.set_result(made)
            return
        made.result = task.result
        made.length = task.length or 0
        if made.ended:
            made.finish()
        else:
            batch.join(made)


@dataclass(eq=False)
class _Task:
    """
    What waits for its turn.

    Args:
        work (`Callable`): begins a row, or does everything.
        length (`int`, *optional*): positions that the row may need; `None`: it is no row.
        ids (`torch.Tensor`, *optional*): the prompt, which is what is returned if `criteria` end it before it begins.
        criteria (`StoppingCriteriaList`, *optional*): of the request.
        streamer (`BaseStreamer`, *optional*): of the request.
    """

    work: Callable[..., Any]
    length: int | None = None
    ids: torch.Tensor | None = None
    criteria: StoppingCriteriaList | None = None
    streamer: "BaseStreamer | None" = None
    result: "Future[Any]" = field(default_factory=Future)

    def is_stopped(self) -> bool:
        if not self.criteria:
            return False
        return bool(self.criteria(self.ids, None).all())

    def finish(self) -> None:
        """Hand over the prompt alone: its answer was stopped before it began."""
        _finish(self.result, self.ids, self.streamer)


class _Row:
    """
    One answer in the making. `generate` makes it in place of its own loop, when it has prepared everything.

    Attributes:
        ids (`torch.Tensor`): of the prompt and of the answer so far; the last one has not been read yet.
        cache (`Cache`): keys and values of the prompt; of the answer, too, when it has left the batch.
    """

    def __init__(
        self,
        model: "MiniGPT4ForConditionalGeneration",
        input_ids: torch.Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        *,
        streamer: "BaseStreamer | None",
        seed: int,
        tokenizer: Any = None,  # stop strings are criteria already
        **model_kwargs: Any,
    ) -> None:
        self.ids = input_ids.to(model.device)
        self.result: Future[torch.Tensor] = Future()
        self.length = 0
        self.ended = False
        self._processors, self._criteria, self._streamer = logits_processor, stopping_criteria, streamer
        self._random = torch.Generator(model.device).manual_seed(seed) if generation_config.do_sample else None
        outputs = model._prefill(input_ids, generation_config, model_kwargs)
        self.cache = outputs.past_key_values
        self.advance(outputs.logits[:, -1])

    def advance(self, logits: torch.Tensor) -> None:
        """Choose the next token as `generate` does, of logits of shape (1, vocabulary)."""
        scores = self._processors(self.ids, logits.to(copy=True, dtype=torch.float32, device=self.ids.device))
        if self._random is None:
            token = scores.argmax(-1, keepdim=True)
        else:
            token = torch.multinomial(scores.softmax(-1), 1, generator=self._random)
        self.ids = torch.cat((self.ids, token), -1)
        self.ended = bool(self._criteria(self.ids, scores).all())
        if self._streamer is not None:
            self._streamer.put(token[0].cpu())

    def finish(self) -> None:
        """Hand over the answer."""
        _finish(self.result, self.ids, self._streamer)


class _Batch:
    """The rows that take their steps together."""

    def __init__(self, model: "MiniGPT4ForConditionalGeneration") -> None:
        self.rows: list[_Row] = []
        self._model = model
        self._cache = BatchCache()

    def bytes_with(self, length: int) -> float:
        """What keys and values may come to take when a row of this length has joined: all are as long as the longest."""
        longest = max(length, *(row.length for row in self.rows))
        return (len(self.rows) + 1) * longest * self._cache.bytes_per_position

    def join(self, row: _Row) -> None:
        self.rows.append(row)
        self._cache.join(row.cache)

    def step(self) -> None:
        """One more token for each row. Rows that end leave; what fails in one of them does not concern the others."""
        try:
            ids = torch.cat([row.ids[:, -1:] for row in self.rows])
            mask, positions = self._cache.next_positions(ids.device)
            logits = self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=self._cache.cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
        except BaseException as error:
            for row in self.rows:
                row.result.set_exception(error)
            self.rows, self._cache = [], BatchCache()
            return
        self._cache.stepped()
        self._leave([row for row, its in zip(self.rows, logits.split(1), strict=True) if not _goes_on(row, its)])

    def _leave(self, gone: list[_Row]) -> None:
        if not gone:
            return
        staying = [index for index, row in enumerate(self.rows) if row not in gone]
        for index, row in enumerate(self.rows):
            if row in gone:
                self._cache.take_out(index, row.cache)
        self._cache.keep(staying)
        self.rows = [self.rows[index] for index in staying]
        for row in gone:
            if not row.result.done():
                row.finish()


def _finish(result: "Future[Any]", ids: torch.Tensor | None, streamer: "BaseStreamer | None") -> None:
    try:
        if streamer is not None:
            streamer.end()
        result.set_result(ids)
    except BaseException as error:
        result.set_exception(error)


def _goes_on(row: _Row, logits: torch.Tensor) -> bool:
    try:
        row.advance(logits)
    except BaseException as error:
        row.result.set_exception(error)
        return False
    return not row.ended
