"""`minigpt4 describe`: an answer about each of some pictures."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minigpt4.commands.console import note, progress_bar, working
from minigpt4.commands.options import MaxNewTokens, Model, TrustRemoteCode, not_empty
from minigpt4.commands.pictures import find_pictures, read_picture


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
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Describe pictures, or answer a question about each of them.

    A picture that cannot be read does not stop the others; the exit code is then 1.
    """
    names, failed = _find_all(images)
    if len(names) == 1 and not as_json:
        _stream(names[0], prompt, model, trust_remote_code, max_new_tokens)
    elif names:
        with progress_bar(visible=len(names) > 1) as progress:
            task = progress.add_task("Pictures", total=len(names))
            for name, result in _answers(names, prompt, model, trust_remote_code, max_new_tokens, batch_size):
                failed += isinstance(result, Exception)
                _report(name, prompt, result, as_json)
                progress.advance(task)
    if failed:
        raise typer.Exit(1)


def _find_all(sources: list[str]) -> tuple[list[str], int]:
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
    name: str, prompt: str, checkpoint: str | None, trust_remote_code: bool, max_new_tokens: int | None
) -> None:
    with working("Loading the model"):
        from minigpt4.inference.answering import answer
        from minigpt4.inference.streaming import AnswerStreamer
        from minigpt4.inference.turns import user_turn
        from minigpt4.loading import load

        picture = read_picture(name)
        model, processor = load(checkpoint, trust_remote_code)
    streamer = AnswerStreamer(processor.tokenizer, processor.end_marks)
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
    max_new_tokens: int | None,
    batch_size: int,
) -> Iterator[tuple[str, "Answer | Exception"]]:
    """Each name, in order, with its answer or with the error that its picture raised."""
    with working("Loading the model"):
        from minigpt4.inference.answering import answer
        from minigpt4.inference.turns import user_turn
        from minigpt4.loading import load

        model, processor = load(checkpoint, trust_remote_code)
    for start in range(0, len(names), batch_size):
        batch = names[start : start + batch_size]
        pictures = [_read_or_error(name) for name in batch]
        conversations = [[user_turn(prompt, p)] for p in pictures if not isinstance(p, Exception)]
        answers = iter(answer(model, processor, conversations, max_new_tokens=max_new_tokens) if conversations else ())
        for name, picture in zip(batch, pictures, strict=True):
            yield name, picture if isinstance(picture, Exception) else next(answers)


def _read_or_error(name: str) -> Any:
    try:
        return read_picture(name)
    except (OSError, ValueError) as error:
        return error


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
        print(line.encode("utf-8", "backslashreplace").decode(), flush=True)  # JSON, whatever bytes a name is of
    elif "answer" in record:
        print(f"{name}\n  {record['answer']}\n", flush=True)


def _note_cut(name: str) -> None:
    note(f"minigpt4: {name}: the answer was cut off at the maximum length; raise it with --max-new-tokens")
