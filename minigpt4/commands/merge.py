"""`minigpt4 merge`: what a run learned and the model it was trained on, as one model."""

from pathlib import Path
from typing import Annotated

import typer

from minigpt4.commands.console import note, working
from minigpt4.commands.options import TrustRemoteCode


def merge(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a run, of a checkpoint in it, or of an adapter.")
    ],
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="New folder for the model.")],
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Merge what a run learned into the model it was trained on: one model, which needs neither that one nor PEFT.

    RUN holds a LoRA, or only what learned; a run with --save full is whole already.
    """
    from minigpt4.checkpoints.identity import CheckpointError, identify, no_such_folder
    from minigpt4.checkpoints.writing import new_folder, unfinished_folder

    if not run.is_dir():
        raise FileNotFoundError(no_such_folder(str(run)))
    found = identify(run)
    if found.kind == "whole" and not found.adapter:
        raise CheckpointError(f"{run} is a whole model already: there is nothing to merge")
    base = found.base.name  # raises where it is not there
    new_folder(output)
    with working(f"Merging {run} into {base}"):
        from transformers.utils import logging

        from minigpt4.hub_cards import merge_adapter

        logging.disable_progress_bar()
        with unfinished_folder(output) as folder:
            merge_adapter(run, folder, trust_remote_code)
    note(f"The model is in {output}: minigpt4 chat --model {output}")
