"""`minigpt4 evaluate`: measure models."""

import json
from typing import Annotated

import typer

from minigpt4.commands.console import working
from minigpt4.commands.options import Model, TrustRemoteCode


app = typer.Typer(help="Measure a model.")


@app.callback()
def evaluate() -> None:
    """Keeps `scenes` a name of its own: typer would drop it while there is one task only."""


@app.command()
def scenes(
    model: Model = None,
    count: Annotated[int, typer.Option("--scenes", min=1, help="Number of held-out pictures.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the pictures.")] = 0,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Pictures answered at once.")] = 32,
    identifiers: Annotated[
        bool,
        typer.Option(
            "--identifiers/--no-identifiers",
            help="With tasks: keep [refer] and so on in the requests, or leave it out.",
        ),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Score descriptions of, and answers about, drawn scenes that were never trained on.

    A model with tasks ([refer], [detection], …) is asked for each of them about scenes with boxes.
    """
    with working("Loading the model"):
        from minigpt4.evaluation.scenes import evaluate_scenes, print_scores
        from minigpt4.loading import load

        loaded = load(model, trust_remote_code)
    scores = evaluate_scenes(*loaded, scenes=count, seed=seed, batch_size=batch_size, identifiers=identifiers)
    if as_json:
        print(json.dumps(scores))
    else:
        print_scores(scores)
