"""`minigpt4 evaluate`: measure models."""

import json
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from minigpt4.commands.console import note, working
from minigpt4.commands.options import AnyModel, Model, TrustRemoteCode, model_name


RUN = "tasks"


class TaskGroup(TyperGroup):
    """Any name that is not a command is the name of a task."""

    def resolve_command(self, ctx, args):
        # `scenes` alone is a command with options of its own; among other tasks it is a task.
        alone = args[0] != "scenes" or all(argument.startswith("-") for argument in args[1:2])
        return super().resolve_command(ctx, args if args[0] in self.commands and alone else [RUN, *args])

    def collect_usage_pieces(self, ctx):
        return ["TASK… [OPTIONS] | compare FOLDER… | sheets RESULT SHEET… | scenes [OPTIONS]"]


app = typer.Typer(cls=TaskGroup, no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")]


@app.callback()
def evaluate() -> None:
    """Measure a model: `minigpt4 evaluate okvqa refcoco --model FOLDER --data FOLDER`.

    TASK is one of: okvqa, vizwiz, iconqa, gqa, vsr, hm, aokvqa, refcoco, refcoco+, refcocog, coco-coverage, chair, failure, advanced,
    detection, identify, scenes, boxed-scenes. docs/evaluate.md lists their files.
    """


@app.command(RUN, hidden=True)
def tasks(
    names: Annotated[list[str], typer.Argument(metavar="TASK", help="What to measure.")],
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="Folder of the data sets.")] = Path("data"),
    model: AnyModel = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder of answers and results. Default: evaluations/MODEL.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Ask only this many samples of each task.")
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Questions at once.")] = 8,
    published_scoring: Annotated[
        bool, typer.Option("--published-scoring", help="Score as the published programs do, faults and all.")
    ] = False,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge",
            metavar="MODEL",
            help="Language model that judges: its name at --judge-url, or a folder or Hub id.",
        ),
    ] = None,
    judge_url: Annotated[
        str | None,
        typer.Option("--judge-url", help="OpenAI-style address of the judge. Default: it runs on this machine."),
    ] = None,
    judge_key: Annotated[
        str | None,
        typer.Option("--judge-key", metavar="VARIABLE", help="Environment variable with the key for --judge-url."),
    ] = None,
    bf16: Annotated[bool, typer.Option("--bf16", help="Load the model in bfloat16.")] = False,
    as_json: AsJson = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Measure a model on tasks of the papers.

    A run that was stopped goes on from the answers in OUTPUT.
    """
    from minigpt4.evaluation.tasks import find_tasks

    chosen = find_tasks(*names)
    for task in chosen:
        if task.judged and judge is None:
            raise ValueError(f"{task.name} is judged by a language model: name it with --judge.")
    if not data.is_dir() and any(task.needs_data for task in chosen):
        raise FileNotFoundError(f"--data {data} is not a folder: give the one that holds the sets.")
    label = model or "nano"
    with working(f"Loading {model_name(model)}"):
        from minigpt4.checkpoints.identity import fingerprint
        from minigpt4.checkpoints.loading import load_any
        from minigpt4.evaluation.running import run_task
        from minigpt4.evaluation.running.processes import processes
        from minigpt4.evaluation.running.tables import notes_of, print_table, results_table
        from minigpt4.hub_cards.embedded import embedded
        from minigpt4.inference.asking import Asker

        state = processes()
        device_map = {"": state.device} if state.num_processes > 1 else "auto"
        folder_or_id = embedded(label)
        loaded = load_any(folder_or_id, trust_remote_code, "bfloat16" if bf16 else "auto", device_map)
    folder = output or Path("evaluations", Path(label).name)
    judged_by = _judge(judge, judge_url, judge_key, folder) if state.is_main_process else None
    results = [
        run_task(
            task,
            Asker(*loaded),
            data,
            model=label,
            output=folder,
            limit=limit,
            batch_size=batch_size,
            published_scoring=published_scoring,
            judged_by=judged_by,
            settings={"dtype": str(loaded[0].dtype).removeprefix("torch."), "weights": fingerprint(folder_or_id)},
        )
        for task in chosen
    ]
    if not state.is_main_process:
        return
    for task, result in zip(chosen, results, strict=True):
        if task.by_people:
            from minigpt4.evaluation.running.sheets import write_sheet

            table, page = write_sheet(result, folder, data)
            note(
                f"Give {page} to people, or {table}; minigpt4 evaluate sheets {folder / task.name}.json SHEET… scores them."
            )
    page = _report(folder, data if data.is_dir() else Path())
    if as_json:
        print(json.dumps({result.task: _summary(result) for result in results}))
    else:
        print_table(results_table(results), notes_of(results))
        note(f"Answers and results are in {folder}; {page} shows them with charts and pictures.")


def _report(folder: Path, data: Path) -> Path:
    """A page with all results in the folder, those of earlier runs among them."""
    from minigpt4.evaluation.reports import write_report
    from minigpt4.evaluation.running import read_result
    from minigpt4.evaluation.tasks.index import all_tasks

    files = (folder / f"{name}.json" for name in all_tasks())
    return write_report([read_result(file) for file in files if file.is_file()], folder / "report.html", data)


def _judge(name: str | None, url: str | None, key_variable: str | None, folder: Path):
    if name is None:
        return None
    if url is None:
        from minigpt4.inference.local_language_model import LocalLanguageModel

        return LocalLanguageModel(name)
    from minigpt4.inference.endpoint import Endpoint

    return Endpoint(name, url, key_variable=key_variable, cache=folder / "judge.sqlite")


def _summary(result) -> dict:
    shown = {name: value for name, value in vars(result).items() if name != "samples"}
    return {**shown, "partial": result.partial}


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER", help="Folders of results, or single results.")],
    as_json: AsJson = False,
) -> None:
    """Put results side by side, with the published figures and paired differences."""
    if len(folders) < 2:
        raise typer.BadParameter("give at least two folders of results")
    from minigpt4.evaluation.running.comparing import compare as compare_results
    from minigpt4.evaluation.running.tables import comparison_table, notes_of, print_table

    comparison = compare_results(folders)
    if as_json:
        print(json.dumps(comparison.as_json()))
        return
    print_table(comparison_table(comparison), notes_of([result for row in comparison.rows for result in row.results]))
    if comparison.missing:
        note(f"Not in all of them: {', '.join(comparison.missing)}.")


@app.command()
def sheets(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="The result that the sheets are of, a JSON file.")],
    filled: Annotated[list[Path], typer.Argument(metavar="SHEET", help="A filled sheet of each person.")],
    as_json: AsJson = False,
) -> None:
    """Score answers by the sheets that people have filled."""
    from minigpt4.evaluation.running import read_result
    from minigpt4.evaluation.running.sheets import score_sheets
    from minigpt4.evaluation.running.tables import notes_of, print_table, results_table

    scored = score_sheets(read_result(result), filled)
    scored.write(result.parent)
    if as_json:
        print(json.dumps(_summary(scored)))
        return
    figures = scored.figures
    kinds = ", ".join(f"{kind} {100 * share:.1f} %" for kind, share in figures["by_kind"].items())
    agreement = "no two people judged the same answers"
    if figures["agreement"] is not None:
        kappa = "not defined" if figures["kappa"] is None else f"{figures['kappa']:.2f}"
        agreement = f"{figures['raters']} people, agreement {100 * figures['agreement']:.1f} %, kappa {kappa}"
    print_table(results_table([scored]), [f"Requests met: {kinds}.", f"Raters: {agreement}.", *notes_of([scored])])


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
    as_json: AsJson = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Score descriptions of, and answers about, drawn scenes that were never trained on.

    A model with tasks ([refer], [detection], …) is asked for each of them about scenes with boxes.
    """
    with working(f"Loading {model_name(model)}"):
        from minigpt4.evaluation.scenes import evaluate_scenes, print_scores
        from minigpt4.loading import load

        loaded = load(model, trust_remote_code)
    scores = evaluate_scenes(*loaded, scenes=count, seed=seed, batch_size=batch_size, identifiers=identifiers)
    if as_json:
        print(json.dumps(scores))
    else:
        print_scores(scores)
