"""`minigpt4 curate`: make data for stage 2 from your own pictures."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minigpt4.commands.console import note, working
from minigpt4.commands.options import TrustRemoteCode


if TYPE_CHECKING:
    from huggingface_hub import DatasetCard

    from minigpt4.curation import Exported, Recipe
    from minigpt4.curation.work import Work


NEEDED = ("datasketch", "imagehash", "pydantic")


def curate(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="What to do; docs/curate.md shows one.")],
    steps: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STEP]...",
            help="generate, continue, mend, filter, review, export, or merge for shards. Default: all of the recipe.",
            show_default=False,
        ),
    ] = None,
    shard: Annotated[str | None, typer.Option("--shard", metavar="K/N", help="Work on the K-th of N parts.")] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Do STEP again, and forget the steps after it.")] = False,
    restore: Annotated[
        list[str] | None,
        typer.Option("--restore", metavar="ID|RULE", help="Take back what the filter dropped. Can be repeated."),
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Of the review page. Default: the first free one.")
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Make data for stage 2: describe pictures, continue, mend, filter and review the texts, and export them.

    What is done is kept: the same command continues where it was stopped, at any time.
    """
    if lacking := [name for name in NEEDED if find_spec(name) is None]:
        raise ValueError(f"curation needs {lacking[0]}: run pip install '.[curation]' in minigpt4's repository.")
    from minigpt4.curation.recipe import check_steps, read_recipe

    read = read_recipe(recipe)
    if steps != ["merge"]:
        check_steps(read, steps or [])
    if redo and not steps:
        raise ValueError("--redo needs the step to do again.")
    if restore:
        from minigpt4.curation.restoring import restore as run_restore

        print(f"{run_restore(read, restore, shard)} rows restored")
        return
    if steps == ["merge"]:
        from minigpt4.curation.sharding import merge

        print(f"merge: {len(merge(read).rows)} rows in {read.output}; run filter and what follows on them")
        return
    _run(read, steps or [], shard, redo, port, trust_remote_code)


def _run(recipe: "Recipe", steps: list[str], shard: str | None, redo: bool, port: int | None, trust: bool) -> None:
    with working("Reading the recipe"):
        from minigpt4.curation.sharding import shard_folder
        from minigpt4.curation.spending import spending
        from minigpt4.curation.steps import run
        from minigpt4.curation.table import Table
        from minigpt4.hub_cards.embedded import embedded

    folder = shard_folder(recipe, shard)

    def review(work: "Work") -> None:
        _review(work, port)

    for step, count in run(
        recipe, steps, shard=shard, redo=redo, review=review, trust_remote_code=trust, where=embedded
    ):
        if count is None:
            _export(recipe, folder)
            continue
        print(f"{step}: {count}", flush=True)
        if step == "mend" and recipe.mend is not None and recipe.mend.endpoint:
            print(f"mend: {spending(Table.open(folder), recipe.mend.price)}", flush=True)
        if count.waiting and step == "review" and not steps:
            note("The review is not finished: run the command again to go on with it.")
            return


def _review(work: "Work", port: int | None) -> None:
    """Serve the review page until the reviewer ends the review."""
    from minigpt4.curation.review.deciding import Reviewing

    reviewing = Reviewing(work)
    if reviewing.current is None:
        return
    from threading import Event

    from minigpt4.app.server import serve
    from minigpt4.curation.review.page import build_review_page

    finished = Event()
    page = build_review_page(reviewing, finished)
    address = serve(page, port=port)
    print(f"Open {address} in a browser. Every decision is saved at once; Ctrl-C ends the review.", flush=True)
    try:
        finished.wait()
    except KeyboardInterrupt:
        note("The review goes on with the next run.")
    finally:
        page.close(verbose=False)


def _export(recipe: "Recipe", folder: Path) -> None:
    from minigpt4.curation.exporting import DATASET, export
    from minigpt4.hub_cards import push_dataset

    made = export(recipe, folder)
    _card(recipe, made).save(made.folder / DATASET / "README.md")
    print(f"export: {made.rows} rows in {made.folder}", flush=True)
    if made.not_done:
        note(f"export: {made.not_done} rows left out that some step has not done yet")
    if recipe.export.repo:
        print(push_dataset(made.folder / DATASET, recipe.export.repo, private=recipe.export.private).commit_url)


def _card(recipe: "Recipe", made: "Exported") -> "DatasetCard":
    """Everything known of how a data set was made."""
    from minigpt4.hub_cards import dataset_card

    images = recipe.source.images if isinstance(recipe.source.images, str) else ", ".join(recipe.source.images)
    used = [("images", _name(images), recipe.source.licence)]
    for step in ("generate", "mend"):
        licence = getattr(recipe.section(step), "licence", None)
        used += [(f"model of {step}", _name(model), licence) for model in made.models.get(step, ())]
    metadata: dict[str, Any] = {"license": recipe.export.license} if recipe.export.license else {}
    return dataset_card(
        made.rows,
        title=recipe.export.title,
        steps={step: count.out for step, count in made.counts.items()},
        dropped={step: dict(count.decisions) for step, count in made.counts.items()},
        sources=[(part, name, terms or "not stated") for part, name, terms in used],
        prompts=[(step, prompt) for step, prompts in made.prompts.items() for prompt in prompts],
        mended=recipe.mend is not None,
        reviewed=recipe.review is not None,
        reviewers=made.reviewers,
        agreement=made.agreement,
        language=recipe.language,
        **metadata,
    )


def _name(name: str) -> str:
    """Of what is on this machine only the last part is of use to others."""
    return Path(name).name if Path(name).exists() or Path(name).is_absolute() else name
