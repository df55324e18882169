"""`minigpt4 train`: make models."""

from pathlib import Path
from typing import Annotated

import typer

from minigpt4.commands.console import note


app = typer.Typer(help="Train a model.")


@app.callback()
def train() -> None:
    """Keeps `nano` a name of its own: typer would drop it while there is one recipe only."""


@app.command()
def nano(
    output: Annotated[Path, typer.Option("--output", help="New folder for the model.")],
    seed: Annotated[int, typer.Option("--seed", help="Decides the weights, the pictures and their order.")] = 0,
    scenes: Annotated[int, typer.Option("--scenes", min=1, help="Held-out pictures to measure it on.")] = 1000,
) -> None:
    """Make nano, the model inside this package, again: under an hour on two CPU cores.

    Finished steps stay in OUTPUT.steps, so that the same command goes on where it was stopped.
    """
    from minigpt4.evaluation.scenes import print_scores
    from minigpt4.training.nano.build import build_nano

    scores = build_nano(output, seed=seed, scenes=scenes)
    for stage, name in (("stage1", "After stage 1"), ("stage2", "After stage 2")):
        print(f"\n{name}")
        print_scores(scores[stage])
    note(f"The model is in {output}: give it to --model of the other commands.")
