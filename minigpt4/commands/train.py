"""`minigpt4 train`: make models."""

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from minigpt4.commands.console import note
from minigpt4.commands.options import TrustRemoteCode
from minigpt4.commands.recipe_options import RecipeName, Settings, read


RUN = "recipe"


class RecipeGroup(TyperGroup):
    """Whatever is not a command of its own is the name of a recipe."""

    def resolve_command(self, ctx, args):
        return super().resolve_command(ctx, args if args[0] in self.commands else [RUN, *args])

    def collect_usage_pieces(self, ctx):
        return ["RECIPE [OPTIONS] | nano [OPTIONS]"]


app = typer.Typer(cls=RecipeGroup, no_args_is_help=True)


@app.callback()
def train() -> None:
    """Train a model as a recipe says: `minigpt4 train stage2 --set model_name_or_path=FOLDER --set data=FOLDER`.

    RECIPE is the path of a YAML file, or a shipped one: lora, qlora, own-folder, stage1, stage2, stage2-llama2,
    v2-stage1, v2-stage2, v2-stage3, ablation-no-qformer, ablation-three-layers, ablation-qformer.
    """


@app.command(RUN, hidden=True)
def recipe(
    name: RecipeName,
    settings: Settings = None,
    show: Annotated[
        int, typer.Option("--show", min=0, metavar="N", help="Print N rows as they are trained on; train nothing.")
    ] = 0,
    save: Annotated[
        str | None, typer.Option("--save", metavar="learned|full", help="Save what learned, or the whole model.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in output_dir.")] = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Train as RECIPE says."""
    said = read(name, settings, trust_remote_code, save=save)
    from accelerate import PartialState

    from minigpt4.training import run

    if show:
        run.show(said, show)
    else:
        output = run.run(said, resume=resume)
        if not PartialState().is_main_process:
            return
        if (output / "config.json").is_file():
            note(f"The model is in {output}: give it to --model of the other commands.")
        else:
            note(
                f"What learned is in {output}: from_pretrained({str(output)!r}) puts it into the model it was trained on."
            )


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
