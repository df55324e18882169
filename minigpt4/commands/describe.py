"""`minigpt4 describe`: an answer about each of some pictures."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minigpt4.commands.console import note, progress_bar, working
from minigpt4.commands.options import MaxNewTokens, Model, not_empty
from minigpt4.commands.pictures import find_pictures


if TYPE_CHECKING:
    from minigpt4.answering import Answer


def describe(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE", help="Picture files, folders of them, or URLs.")],
    prompt: Annotated[
        str, typer.Option("--prompt", help="What to ask about each picture.", callback=not_empty)
    ] = "Describe this image in detail.",
    model: Model = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON per picture.")] = False,
    max_new_tokens: MaxNewTokens = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Pictures answered at once.")] = 8,
) -> None:
    """Describe pictures, or answer a question about each of them.

    A picture that cannot be read does not stop the others; the exit code is then 1.
    """
    names, failed = _find_all(images)
    answers = _answers(names, prompt, model, max_new_tokens, batch_size, stream=len(names) == 1 and not as_json)
    with progress_bar(visible=len(names) > 1) as progress:
        task = progress.add_task("Pictures", total=len(names))
        for name, result in answers:
            if isinstance(result, Exception):
                failed += 1
                note(f"minigpt4: {result}")
            elif not result.finished:
                note(f"minigpt4: {name}: the answer was cut at its longest; allow more with --max-new-tokens")
            if as_json:
                print(json.dumps(_record(name, prompt, result), ensure_ascii=False), flush=True)
            elif len(names) > 1 and not isinstance(result, Exception):
                print(f"{name}\n  {result.text}\n", flush=True)
            progress.advance(task)
    if failed:
        raise typer.Exit(1)


def _find_all(sources: list[str]) -> tuple[list[str], int]:
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
            note(f"minigpt4: {source}: left out {others} files that are no pictures by their name")
    return names, failed


def _answers(
    names: list[str], prompt: str, checkpoint: str | None, max_new_tokens: int | None, batch_size: int, stream: bool
) -> Iterator[tuple[str, "Answer | Exception"]]:
    """Each name with its answer, or with the error that its picture raised; in order."""
    if not names:
        return
    from minigpt4.answering import AnswerStreamer, answer, user_turn
    from minigpt4.loading import load

    loaded = None
    for batch in _batches(names, batch_size):
        pictures = [_read(name) for name in batch]
        readable = [picture for picture in pictures if not isinstance(picture, Exception)]
        answers: Iterator[Answer] = iter(())
        if readable:
            if loaded is None:
                with working("Loading the model"):
                    loaded = load(checkpoint)
            streamer = AnswerStreamer(*loaded, write=lambda text: print(text, end="", flush=True)) if stream else None
            conversations = [[user_turn(prompt, picture)] for picture in readable]
            answers = iter(answer(*loaded, conversations, max_new_tokens=max_new_tokens, streamer=streamer))
            if stream:
                print()
        for name, picture in zip(batch, pictures, strict=True):
            yield name, picture if isinstance(picture, Exception) else next(answers)


def _batches(names: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(names)
    return iter(lambda: list(islice(rest, size)), [])


def _read(name: str) -> Any:
    """The picture, or the error that says what is wrong with it."""
    from minigpt4.processing import load_image

    try:
        return load_image(name)
    except (OSError, ValueError) as error:
        return error


def _record(name: str, prompt: str, result: "Answer | Exception") -> dict[str, Any]:
    if isinstance(result, Exception):
        return {"image": name, "prompt": prompt, "error": str(result)}
    return {"image": name, "prompt": prompt, "answer": result.text, "finished": result.finished}
