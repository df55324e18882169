"""`minigpt4 convert`, `verify`, `export` and `assemble`: the published files and complete folders."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from minigpt4.checkpoints.families import FAMILIES, OWN_CHAT
from minigpt4.commands.console import note, working
from minigpt4.commands.options import identified


FamilyName = Annotated[
    Literal[*FAMILIES],  # type: ignore[valid-type]
    typer.Argument(
        metavar="FAMILY", help=", ".join(f"{name}: {family.title}" for name, family in FAMILIES.items()) + "."
    ),
]
Vision = Annotated[
    str,
    typer.Option("--vision", metavar="FILE", help="eva_vit_g.pth, or a folder or Hub id of BLIP-2."),
]
QFormer = Annotated[
    str | None,
    typer.Option(
        "--qformer",
        metavar="FILE",
        help="blip2_pretrained_flant5xxl.pth, or a folder or Hub id of BLIP-2. Required for vicuna.",
    ),
]
LanguageModel = Annotated[
    str, typer.Option("--language-model", metavar="DIR", help="Folder or Hub id of the language model.")
]
Overrides = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="JSON of MiniGPT4Config fields that override the family's."),
]
OutputFolder = Annotated[Path, typer.Option("--output", metavar="DIR", help="New folder for the model.")]
Folder = Annotated[str, typer.Argument(metavar="DIR", help="Folder or Hub id of a MiniGPT-4.", callback=identified)]


def convert(
    family: FamilyName,
    vision: Vision,
    language_model: LanguageModel,
    checkpoint: Annotated[str, typer.Option("--checkpoint", metavar="FILE", help="The MiniGPT-4 checkpoint.")],
    output: OutputFolder,
    qformer: QFormer = None,
    config: Overrides = None,
    keep_lora: Annotated[
        bool, typer.Option("--keep-lora", help="Keep the LoRA as a PEFT adapter instead of merging it.")
    ] = False,
) -> None:
    """Convert the published files into one folder that --model accepts.

    Nothing is written if a file does not fit.
    """
    _check_paths(output, vision, qformer, language_model, checkpoint, config)
    with working("Loading"):
        from minigpt4.conversion import convert as run

    run(
        family,
        vision=vision,
        qformer=qformer,
        language_model=language_model,
        checkpoint=checkpoint,
        config=config,
        keep_lora=keep_lora,
        output=output,
    )
    note(f"The model is in {output}: minigpt4 chat --model {output}")


def assemble(
    vision: Annotated[
        str,
        typer.Option(
            "--vision", metavar="FILE", help="Folder or Hub id of a vision tower; eva_vit_g.pth for a family."
        ),
    ],
    language_model: LanguageModel,
    output: OutputFolder,
    family: Annotated[
        Literal[*FAMILIES] | None,  # type: ignore[valid-type]
        typer.Argument(
            metavar="[FAMILY]", help="A published family; without one, any vision tower with its own pictures."
        ),
    ] = None,
    qformer: QFormer = None,
    config: Overrides = None,
    chat: Annotated[
        Literal[OWN_CHAT, *FAMILIES] | None,  # type: ignore[valid-type]
        typer.Option(
            "--chat", help="Chat form: the language model's own, or a family's. Default: FAMILY's, else own."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the new projection.")] = 0,
) -> None:
    """Build an untrained model around any vision tower and any language model: where stage 1 starts."""
    _check_paths(output, vision, qformer, language_model, config)
    with working("Loading"):
        from minigpt4.conversion import assemble as run

    run(
        family,
        vision=vision,
        qformer=qformer,
        language_model=language_model,
        config=config,
        chat=chat,
        seed=seed,
        output=output,
    )
    note(f"The model is in {output}. It is untrained: stage 1 comes next.")


def verify(
    folder: Folder,
    vision: Annotated[str | None, typer.Option("--vision", metavar="FILE", help="Compare with this file.")] = None,
    qformer: Annotated[str | None, typer.Option("--qformer", metavar="FILE", help="Compare with this file.")] = None,
    language_model: Annotated[
        str | None, typer.Option("--language-model", metavar="DIR", help="Compare with this language model.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", metavar="FILE", help="Compare with this checkpoint.")
    ] = None,
) -> None:
    """Check every tensor: print a table of the parts, and any difference from the files they were made from."""
    with working("Loading"):
        from minigpt4.conversion import print_report
        from minigpt4.conversion import verify as run

    report = run(folder, vision=vision, qformer=qformer, language_model=language_model, checkpoint=checkpoint)
    print_report(report, folder)
    if report.problems:
        raise ValueError(f"{folder} failed verification; problems listed above: {len(report.problems)}.")


def export(
    folder: Folder,
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="New file for the checkpoint.")],
    towers: Annotated[bool, typer.Option("--towers", help="Also ln_vision, the queries and the Q-Former.")] = False,
    newer_peft: Annotated[
        bool, typer.Option("--newer-peft", help="Name LoRA as newer versions of PEFT do: lora_A.default.weight.")
    ] = False,
) -> None:
    """Write the trained part as a checkpoint in the original format."""
    with working("Loading"):
        from minigpt4.conversion import export as run

    run(folder, output, towers=towers, newer_peft=newer_peft)
    note(f"The checkpoint is {output}.")


def _check_paths(output: Path, *sources: str | Path | None) -> None:
    """Refuse an output that exists and sources that do not, before torch is imported."""
    from minigpt4.checkpoints.writing import new_folder
    from minigpt4.conversion.places import refuse_missing

    new_folder(output)
    refuse_missing(*sources)
