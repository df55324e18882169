"""`minigpt4 train`: train models."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from minigpt4.commands.console import note, working
from minigpt4.commands.options import TrustRemoteCode
from minigpt4.commands.recipe_options import RecipeName, Settings, check_output, read


RUN = "recipe"

NewModel = Annotated[Path, typer.Option("--output", help="New folder for the model.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the weights, the pictures and their order.")]
HeldOut = Annotated[int, typer.Option("--scenes", min=1, help="Number of held-out pictures to evaluate on.")]


class RecipeGroup(TyperGroup):
    """Any name that is not a command is the name of a recipe."""

    def resolve_command(self, ctx, args):
        return super().resolve_command(ctx, args if args[0] in self.commands else [RUN, *args])

    def collect_usage_pieces(self, ctx):
        return ["RECIPE [OPTIONS] | nano [OPTIONS] | nano-v2 [OPTIONS]"]


app = typer.Typer(cls=RecipeGroup, no_args_is_help=True)


@app.callback()
def train() -> None:
    """Train a model from a recipe: `minigpt4 train stage2 --set model_name_or_path=FOLDER --set data=FOLDER`.

    RECIPE is the path of a YAML file, or the name of a shipped one: minigpt4 recipes lists them.
    """


@app.command(RUN, hidden=True)
def recipe(
    name: RecipeName,
    settings: Settings = None,
    show: Annotated[
        int, typer.Option("--show", min=0, metavar="N", help="Print N rows as they are trained on, without training.")
    ] = 0,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print what learns, memory, operations and time; load no weights, train nothing."
        ),
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option("--speed", min=0.001, metavar="TFLOPS", help="What the device sustains: hours with --dry-run."),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="learned|full", help="Save only what was trained, or the whole model."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the last checkpoint in output_dir.")] = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Train from RECIPE."""
    if speed and not dry_run:
        raise ValueError(f"--speed {speed:g} is for --dry-run only: add it, or leave --speed out.")
    if not show and not dry_run:
        check_output(name, settings, resume)
    said = read(name, settings, trust_remote_code, save=save)
    with working("Importing the trainer"):
        import datasets
        from accelerate import PartialState
        from transformers.utils import logging

        from minigpt4.training import run
        from minigpt4.training.reports.dry_run import print_plan

    if sys.stderr.isatty():  # the bars of these libraries would run into what is shown here
        datasets.disable_progress_bars()
        logging.disable_progress_bar()
    if dry_run:
        print_plan(said, speed)
    elif show:
        run.show(said, show)
    else:
        output = run.run(said, resume=resume, waiting=working)
        if not PartialState().is_main_process:
            return
        whole = (output / "config.json").is_file()
        note(f"{'The model' if whole else 'What learned'} is in {output}. Next: minigpt4 chat --model {output}")
        if not whole:
            note(f"One model without its base: minigpt4 merge {output} --output DIR")


@app.command()
def nano(output: NewModel, seed: Seed = 0, scenes: HeldOut = 1000) -> None:
    """Rebuild nano, the model in this package: under an hour on two CPU cores.

    Finished steps are kept in OUTPUT.steps: the same command continues where it was stopped.
    """
    from minigpt4.training.nano.build import build_nano

    _say_what_was_made(build_nano(output, seed=seed, scenes=scenes), output)


@app.command()
def nano_v2(
    output: NewModel,
    seed: Seed = 0,
    scenes: HeldOut = 1000,
    repeats: Annotated[
        int,
        typer.Option(
            "--repeats",
            min=0,
            help="Also run the stages with so many further seeds, and stage 2 without identifiers, for the model's card.",
        ),
    ] = 0,
) -> None:
    """Make nano-v2, a MiniGPT-v2 for drawn scenes with boxes: under two hours on two CPU cores.

    Finished steps are kept in OUTPUT.steps: the same command continues where it was stopped.
    """
    from minigpt4.training.nano.v2.build import build_nano_v2

    _say_what_was_made(build_nano_v2(output, seed=seed, scenes=scenes, repeats=repeats), output)


def _say_what_was_made(scores: dict[str, dict], output: Path) -> None:
    from minigpt4.evaluation.scenes import print_scores

    for stage, measured in scores.items():
        print(f"\nAfter {stage.replace('stage', 'stage ', 1)}")
        print_scores(measured)
    note(f"The model is in {output}: give it to --model of the other commands.")
