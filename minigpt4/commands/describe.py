"""`minigpt4 describe`: an answer about each of some pictures."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.progress import Progress

from minigpt4.commands.console import note, progress_bar, working
from minigpt4.commands.options import Dtype, MaxNewTokens, Model, Precision, TrustRemoteCode, model_name, not_empty
from minigpt4.commands.pictures import find_pictures, read_picture
from minigpt4.commands.wrapping import WordWrap


if TYPE_CHECKING:
    from minigpt4.inference.turns import Answer


def describe(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE", help="Picture files, folders of them, or URLs.")],
    prompt: Annotated[
        str, typer.Option("--prompt", help="What to ask about each picture.", callback=not_empty)
    ] = "Describe this image in detail.",
    model: Model = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON per picture.")] = False,
    max_new_tokens: MaxNewTokens = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Pictures answered at once.")] = 8,
    dtype: Dtype = Precision.AUTO,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Describe pictures, or answer a question about each of them.

    A picture that cannot be read does not stop the others; the exit code is then 1. Under accelerate launch each process
    answers its share.
    """
    first, several = os.environ.get("RANK", "0") == "0", _are_several()
    if several and not as_json:
        raise ValueError("several processes would mix their answers: give --json, which is one line for each picture")
    names, failed = _find_all(images, note if first else lambda line: None)
    failed = failed if first else 0
    if len(names) == 1 and not as_json:
        _stream(names[0], prompt, model, trust_remote_code, dtype, max_new_tokens)
    elif names:
        with progress_bar(visible=len(names) > 1 and first) as progress:
            bar = _Bar(progress, f"Loading {model_name(model)}")
            for name, result in _answers(
                names, prompt, model, trust_remote_code, dtype, max_new_tokens, batch_size, bar
            ):
                failed += isinstance(result, Exception)
                _report(name, prompt, result, as_json)
                bar.advance()
    if several:
        from minigpt4.evaluation.running.processes import gathered

        failed = sum(gathered([failed]))  # also: nobody ends, and so ends the others, before all are done
    if failed:
        raise typer.Exit(1)


def _are_several() -> bool:
    """Whether this is one of several processes of `accelerate launch`, before anything heavy is imported."""
    return os.environ.get("WORLD_SIZE", "1") != "1"


class _Bar:
    """The bar over all pictures. It moves with the tokens of a batch, too, as far as its answers may be long."""

    def __init__(self, progress: Progress, waiting: str) -> None:
        self._progress, self._total, self._done = progress, 0, 0
        self._task = progress.add_task(waiting, total=None, done="")

    def begin(self, total: int) -> None:
        """From now on, so many pictures are answered."""
        self._total = total
        self._progress.update(self._task, description="Pictures", total=self._total, done=f"0/{self._total}")

    def tokens(self, share: float) -> None:
        """Show a batch of which `share` pictures' worth has been generated."""
        self._progress.update(self._task, completed=self._done + share)

    def advance(self) -> None:
        """One more picture is done."""
        self._done += 1
        self._progress.update(self._task, completed=self._done, done=f"{self._done}/{self._total}")


def _find_all(sources: list[str], note: Callable[[str], object]) -> tuple[list[str], int]:
    """The pictures of all sources, and the number of sources that failed."""
    names: list[str] = []
    failed = 0
    for source in sources:
        try:
            pictures, others = find_pictures(source)
        except (OSError, ValueError) as error:
            note(f"minigpt4: {error}")
            failed += 1
            continue
        names += pictures
        if others:
            note(f"minigpt4: {source}: skipped {others} other files (not pictures by their names)")
    return names, failed


def _stream(
    name: str, prompt: str, checkpoint: str | None, trust_remote_code: bool, dtype: str, max_new_tokens: int | None
) -> None:
    with working(f"Loading {model_name(checkpoint)}"):
        from minigpt4.inference.answering import answer
        from minigpt4.inference.streaming import AnswerStreamer
        from minigpt4.inference.turns import user_turn
        from minigpt4.loading import load

        picture = read_picture(name)
        model, processor = load(checkpoint, trust_remote_code, dtype)
    streamer = AnswerStreamer(processor.tokenizer, processor.end_marks, WordWrap().write)
    conversations = [[user_turn(prompt, picture)]]
    [result] = answer(model, processor, conversations, max_new_tokens=max_new_tokens, streamer=streamer)
    print(flush=True)
    if not result.finished:
        _note_cut(name)


def _answers(
    names: list[str],
    prompt: str,
    checkpoint: str | None,
    trust_remote_code: bool,
    dtype: str,
    max_new_tokens: int | None,
    batch_size: int,
    bar: _Bar,
) -> Iterator[tuple[str, "Answer | Exception"]]:
    """Each name, in order, with its answer or with the error that its picture raised."""
    with nullcontext() if len(names) > 1 else working(f"Loading {model_name(checkpoint)}"):  # else the bar says so
        from minigpt4.inference.answering import answer
        from minigpt4.inference.turns import user_turn
        from minigpt4.loading import load

        rank, ranks, device_map = 0, 1, cast("Any", "auto")
        if _are_several():
            from minigpt4.evaluation.running.processes import processes

            state = processes()
            rank, ranks, device_map = state.process_index, state.num_processes, {"": state.device}
        model, processor = load(checkpoint, trust_remote_code, dtype, device_map)
    batches = [names[start : start + batch_size] for start in range(0, len(names), batch_size)]
    mine = batches[rank::ranks]
    bar.begin(sum(map(len, mine)))
    longest = max_new_tokens or model.generation_config.max_new_tokens
    for batch, pictures in _read_ahead(mine, processor.image_processor):
        conversations = [[user_turn(prompt, p)] for p in pictures if not isinstance(p, Exception)]
        answers: Iterator[Answer] = iter(())
        if conversations:
            share = len(batch) / longest if longest else 0.0
            answers = iter(
                answer(
                    model,
                    processor,
                    conversations,
                    max_new_tokens=max_new_tokens,
                    on_token=lambda count, share=share: bar.tokens(count * share),
                )
            )
        for name, picture in zip(batch, pictures, strict=True):
            yield name, picture if isinstance(picture, Exception) else next(answers)


def _read_ahead(batches: list[list[str]], image_processor: Any) -> Iterator[tuple[list[str], list[Any]]]:
    """Each batch with its pictures, or why there is none. The next ones are read while a batch is answered."""
    from minigpt4.processing.image_loading import shrunk

    def read(name: str) -> Any:
        try:
            return shrunk(read_picture(name), image_processor)
        except (OSError, ValueError) as error:
            return error

    with ThreadPoolExecutor(1) as reader:
        coming = [reader.submit(read, name) for name in batches[0]] if batches else []
        for number, batch in enumerate(batches, start=1):
            pictures = [each.result() for each in coming]
            coming = [reader.submit(read, name) for following in batches[number : number + 1] for name in following]
            yield batch, pictures


def _report(name: str, prompt: str, result: "Answer | Exception", as_json: bool) -> None:
    record: dict[str, Any] = {"image": name, "prompt": prompt}
    if isinstance(result, Exception):
        note(f"minigpt4: {result}")
        record["error"] = str(result)
    else:
        if not result.finished:
            _note_cut(name)
        record |= {"answer": result.text, "finished": result.finished}
    if as_json:
        line = json.dumps(record, ensure_ascii=False)
        line = line.encode("utf-8", "backslashreplace").decode()  # JSON, whatever bytes a name is of
        # In one write: under a launcher output has no buffer, and other workers write there, too.
        print(f"{line}\n", end="", flush=True)
    elif "answer" in record:
        print(f"{name}\n  ", end="")
        WordWrap(indent=2, column=2).write(f"{record['answer']}\n")
        print(flush=True)


def _note_cut(name: str) -> None:
    note(f"minigpt4: {name}: the answer was cut off at the maximum length; raise it with --max-new-tokens")
