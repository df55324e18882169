"""`minigpt4 push`: put a model on the Hub."""

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from minigpt4.commands.console import note, working
from minigpt4.commands.options import TrustRemoteCode


if TYPE_CHECKING:
    from minigpt4.hub_cards.card import Result


def push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a model, or of an adapter.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="Its name on the Hub: name, or owner/name.")],
    private: Annotated[bool, typer.Option("--private", help="Make a private repository.")] = False,
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="BRANCH", help="Branch to write to. Default: main.")
    ] = None,
    adapter_only: Annotated[
        bool, typer.Option("--adapter-only", help="Push what was trained, not the model it belongs to.")
    ] = False,
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="ID", help="Hub id of the adapter's model, where it was trained on a folder."),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--results",
            metavar="PATH",
            help="What minigpt4 evaluate measured, for the card: its --output folder, or what its --json printed.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be pushed, and stop.")] = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Put a model on the Hub, so that everyone can load it by its name.

    Weights, processor, settings, code and card go in one commit; an adapter is merged with its model first, unless
    --adapter-only is given. Log in first: hf auth login.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder: give the one that the model was saved in.")
    if base is not None and not adapter_only:
        raise ValueError("--base is the model that an adapter belongs to: it goes with --adapter-only.")
    with tempfile.TemporaryDirectory() as temporary:
        source = folder
        with working(f"Reading {folder}"):
            from huggingface_hub.utils import disable_progress_bars
            from transformers.utils import logging

            from minigpt4.hub_cards import gather_adapter, gather_model, is_adapter, merge_adapter
            from minigpt4.hub_cards import push as run

            logging.disable_progress_bar()
            if not sys.stderr.isatty():
                disable_progress_bars()
            if is_adapter(folder) and not adapter_only:
                source = Path(temporary) / "merged"
                merge_adapter(folder, source, trust_remote_code)
            upload = (
                gather_adapter(source, base, trust_remote_code)
                if adapter_only
                else gather_model(source, trust_remote_code)
            )
            upload = upload.with_results([one for file in results or () for one in _read_results(file)]).named(repo)
        if dry_run:
            sizes = upload.sizes()
            for name, size in sizes.items():
                print(f"{size:>15,}  {name}")
            print(f"{sum(sizes.values()):>15,}  in {len(sizes)} files")
        else:
            print(run(upload, repo, private=private, revision=revision).commit_url)
        if upload.left_out and source == folder:
            note(f"Not pushed: {', '.join(upload.left_out)}")


def _read_results(path: Path) -> "list[Result]":
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise FileNotFoundError(f"{path} has no results: give the --output of minigpt4 evaluate.")
    return [result for file in files for result in _results_in(file)]


def _results_in(file: Path) -> "list[Result]":
    from minigpt4.hub_cards.results import task_results
    from minigpt4.training.nano.model_card import results_of

    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return results_of(content) if "seed" in content else task_results(content)  # of drawn scenes, of tasks
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} is not what minigpt4 evaluate wrote, nor what its --json printed.") from error
