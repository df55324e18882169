"""The command line: the commands, and how their errors are shown.

Commands live in `minigpt4/commands/`, one file per verb family. Nothing heavy is imported until one of them runs, so
that `minigpt4 --help` answers at once.
"""

import logging
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from typing import Annotated

import typer

from minigpt4.checkpoints.precision import PrecisionWarning
from minigpt4.checkpoints.remote_code import never_ask
from minigpt4.commands import app as page
from minigpt4.commands import (
    chat,
    convert,
    curate,
    data,
    demo,
    describe,
    env,
    evaluate,
    features,
    merge,
    push,
    recipes,
    serve,
    train,
)
from minigpt4.commands.console import note
from minigpt4.launcher import end_worker


app = typer.Typer(
    name="minigpt4",
    help="MiniGPT-4: chat with a model about pictures.",
    epilog="Without --model, commands use nano, a tiny model in this package that only knows drawn scenes. "
    "Start with: minigpt4 demo",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for talking in (demo.demo, describe.describe, chat.chat, page.app):
    app.command(rich_help_panel="Look and talk")(talking)
for converting in (convert.convert, convert.verify, convert.export, convert.assemble):
    app.command(rich_help_panel="Build models from the published files")(converting)
app.add_typer(train.app, name="train", rich_help_panel="Train and measure")
app.command(rich_help_panel="Train and measure")(recipes.recipes)
app.command(rich_help_panel="Train and measure")(features.cache_features)
app.command(rich_help_panel="Train and measure")(merge.merge)
app.add_typer(data.app, name="data", rich_help_panel="Train and measure")
app.command(rich_help_panel="Train and measure")(curate.curate)
app.add_typer(evaluate.app, name="evaluate", rich_help_panel="Train and measure")
app.command(rich_help_panel="Share and serve")(push.push)
app.command(
    rich_help_panel="Share and serve",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(serve.serve)
app.command(rich_help_panel="Report a bug")(env.env)


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the versions and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show warnings, logs and error traces.")] = False,
) -> None:
    if show_version:
        print(f"minigpt4 {version('minigpt4')} (transformers {version('transformers')}, torch {version('torch')})")
    elif context.invoked_subcommand is None:
        context.get_help()


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0, 1 after an error, 2 after a wrong call, 130 after Ctrl-C.

    Errors are one line on stderr. `--debug`, anywhere before a `--`, shows the trace instead.
    """
    arguments, debug = _take_debug(arguments)
    never_ask()
    try:
        with nullcontext() if debug else _quiet_libraries():
            code = app(arguments, prog_name="minigpt4", standalone_mode=False) or 0
            end_worker()
            return code
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        elif line := _one_line(error):
            note(f"minigpt4: {line}")
        return getattr(error, "exit_code", 1)


def _take_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return [*options, *arguments[end:]], len(options) < end


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Warnings and logs of libraries are for developers; on the command line an error is one line."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", category=PrecisionWarning)
            warnings.showwarning = lambda message, *_, **__: note(f"minigpt4: {message}")
            yield
    finally:
        logging.disable(level)


def _one_line(error: Exception) -> str:
    if hasattr(error, "format_message"):  # a wrong call, found by typer
        if not (message := error.format_message()):  # a command without arguments: its page has been shown
            return ""
        context = getattr(error, "ctx", None)
        return f"{message.rstrip('.')} (see {context.command_path if context else 'minigpt4'} --help)"
    message = " ".join(str(error).split()) or "no message"
    # Libraries that lack another one say what to install.
    if isinstance(error, (ValueError, OSError)) or (isinstance(error, ImportError) and "pip install" in message):
        return message
    return f"unexpected {type(error).__name__}: {message} (minigpt4 --debug … shows where)"
