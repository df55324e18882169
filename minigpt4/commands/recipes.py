"""`minigpt4 recipes`: the recipes and files for `accelerate launch` that come with the package."""

from typing import Annotated

import typer

from minigpt4.commands.console import print_pairs


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Print this one. Default: list all.")] = None,
    path: Annotated[bool, typer.Option("--path", help="Print where NAME is, in place of its content.")] = False,
) -> None:
    """List the recipes and the files for accelerate launch, or print one of them to start your own from.

    minigpt4 recipes stage2 > my.yaml
    """
    from minigpt4.training.shipped import ACCELERATE, RECIPES, shipped, summary

    files = shipped(RECIPES) | shipped(ACCELERATE)
    if name is None:
        if path:
            raise typer.BadParameter("--path needs a NAME")
        for title, folder in (
            ("minigpt4 train RECIPE", RECIPES),
            ("accelerate launch --config_file FILE", ACCELERATE),
        ):
            print(f"{title}:")
            print_pairs({f"  {one}": summary(file) for one, file in shipped(folder).items()})
            print()
        print("minigpt4 recipes NAME prints one, minigpt4 recipes --path NAME where it is.")
    elif name not in files:
        raise FileNotFoundError(f"There is no recipe {name!r}: give one of {', '.join(files)}.")
    else:
        print(files[name] if path else files[name].read_text(encoding="utf-8"), end="\n" if path else "")
