"""`python -m benchmarks.curation OUTPUT`: a set made by nano after stage 1, and what training stage 2 on it gives.

Nano after stage 1 alone describes drawn scenes, the rules of curation mend, its filter drops, and a reviewer who knows what was
drawn drops what is wrong. Stage 2 is trained on that, on what is left without each of these steps and by each alone, and on
the true descriptions of the same scenes. Each model describes held-out scenes. Prints a JSON line for each, and writes
`results.jsonl`, `steps.json` (what the texts are like after each step) and `curation.png` into OUTPUT; a run that was stopped goes on there.
"""

import argparse
import json
import random
import time
from itertools import islice
from pathlib import Path

from benchmarks.bars import draw_bars
from benchmarks.claims.making import Workshop
from minigpt4.curation import Table, export, run
from minigpt4.curation.recipe import Recipe
from minigpt4.curation.table import details
from minigpt4.evaluation.scenes import describe, draw, sample_scenes, score_description
from minigpt4.evaluation.scenes.scoring import summarise_descriptions
from minigpt4.evaluation.scenes.wording import MAX_NEW_TOKENS
from minigpt4.evaluation.scoring import failure_rate
from minigpt4.inference.asking import Asker
from minigpt4.loading import load
from minigpt4.training import read_recipe
from minigpt4.training import run as training


INSTRUCTION = "Describe this image in detail."
BATCH_SIZE = 32
STEPS = ("continue", "mend", "filter", "review")
# The steps that are left out of each set.
SETS = {
    "made": (),
    **{f"made without {step}": (step,) for step in STEPS},
    "mended only": ("filter", "review"),
    "filtered only": ("mend", "review"),
    "reviewed only": ("mend", "filter"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--steps", type=int, default=50, help="of stage 2")
    parser.add_argument("--scenes", type=int, default=150, help="held out, to evaluate on")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    stage1 = Workshop(args.output / "nano", args.seed, scale=1.0, nano_v2="nano-v2").stage(1, "published")
    scenes = draw_pictures(args.output / "pictures", args.pictures)
    file = args.output / "results.jsonl"
    results = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
    done = {result["data"] for result in results}
    sets = {"none (stage 1 only)": None, **SETS, "true descriptions": None}
    for name, without in sets.items():
        if name in done:
            continue
        start, rows, counts = time.process_time(), 0, {}
        if name == "true descriptions":  # the made set is there by now
            steps = levels(Table.open(args.output / "made"), scenes)
            (args.output / "steps.json").write_text(json.dumps(steps, indent=2))
        folder = args.output / name.replace(" ", "-")
        if name.startswith("none"):
            model = stage1
        else:
            if without is None:
                data, rows = write_truth(folder / "data", args.output / "pictures", scenes), len(scenes)
            else:
                data, rows, counts = curate(folder, args.output, stage1, scenes, without)
            length = {"max_steps": args.steps, "warmup_steps": max(1, args.steps // 10)}
            model = train("nano-stage2", stage1, folder / "model", args.seed, data=str(data), **length)
        result = {"data": name, "rows": rows, "seed": args.seed, **evaluate(model, args.scenes), "left": counts}
        result["cpu_seconds"] = round(time.process_time() - start)
        results.append(result)
        with file.open("a") as lines:
            lines.write(json.dumps(result) + "\n")
        print(json.dumps(result), flush=True)
    results.sort(key=lambda one: [*sets].index(one["data"]))
    plot(results, args.output / "curation.png")


def train(recipe: str, model: Path, output: Path, seed: int, **settings) -> Path:
    if not (output / "config.json").is_file():
        names = {"model_name_or_path": str(model), "output_dir": str(output), "seed": seed, "save": "full"}
        training.run(read_recipe(recipe, **names, **settings))
    return output


def draw_pictures(folder: Path, count: int) -> list:
    scenes = list(islice(sample_scenes("curation"), count))
    if not folder.is_dir():
        rng = random.Random(0)
        folder.mkdir()
        for number, scene in enumerate(scenes):
            draw(scene, rng=rng).save(folder / f"{number:04}.png")
    return scenes


def write_truth(folder: Path, pictures: Path, scenes: list) -> Path:
    """The pictures with what they show, as the drawing itself says."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, scene in enumerate(scenes):
        name = f"{number:04}.png"
        (folder / name).write_bytes((pictures / name).read_bytes())
        lines.append(json.dumps({"file_name": name, "text": describe(scene)}) + "\n")
    (folder / "metadata.jsonl").write_text("".join(lines))
    return folder


def curate(folder: Path, output: Path, stage1: Path, scenes: list, without: tuple) -> tuple[Path, int, dict]:
    """Run the recipe without some steps; what the model said is taken from the first run."""
    whole = output / "made"
    known = {} if not without else {"from": str(whole / "generate.jsonl")}
    sections: dict = {
        "generate": {"model": str(stage1), "batch_size": 32, **known},
        "continue": {"under": 20} if not without else {"from": str(whole / "continue.jsonl")},
        "mend": {"rules": True},
        "filter": {"similar_images": None},  # drawn scenes look alike to a perceptual hash
        "review": {"from": str(folder / "decisions.jsonl"), "reviewer": "one who knows what was drawn"},
    }
    sections = {name: section for name, section in sections.items() if name not in without}
    recipe = Recipe(output=str(folder), source={"images": str(output / "pictures")}, **sections)  # type: ignore[arg-type]
    counts: dict = {"generate": len(scenes)}
    for step, count in run(recipe, ["generate", *(step for step in STEPS if step in sections and step != "review")]):
        counts[step] = count.out if count else 0
    if "review" in sections:
        decide(Table.open(folder, recipe.steps), scenes, folder / "decisions.jsonl")
        counts |= {step: count.out for step, count in run(recipe, ["review"]) if count}
    made = export(recipe, folder)
    return made.folder / "dataset", made.rows, counts


def decide(table: Table, scenes: list, file: Path) -> None:
    """What a reviewer who knows the scene decides: what says anything wrong is dropped."""
    with file.open("w") as lines:
        for row in table.arriving("review"):
            score = score_description(scenes[int(Path(row["image"]).stem)], table.text(row, "review") or "")
            right = score.facts_said == score.right.total()
            decision = {"decision": "keep"} if right else {"decision": "drop", "reason": "wrong"}
            lines.write(json.dumps({"id": row["id"], "model": "one who knows what was drawn", **decision}) + "\n")


def levels(table: Table, scenes: list) -> dict[str, dict]:
    """What the texts are like after each step."""
    found = {}
    for step, after in zip(("generate", *STEPS), (*STEPS, "export"), strict=True):
        rows, scores, failed = table.arriving(after), [], 0
        for row in rows:
            text = table.text(row, after) or ""
            last = next(row[name] for name in ("mend", "continue", "generate") if row[name] and row[name]["text"])
            finished = details(last).get("finished", True)
            failed += bool(failure_rate.failures(text, finished=finished))
            scores.append(score_description(scenes[int(Path(row["image"]).stem)], text, finished))
        facts = summarise_descriptions(scores)
        kept = {key: facts[key] for key in ("facts", "facts_precision", "scenes_right")}
        found[step] = {"rows": len(rows), "failure_rate": failed / len(rows), **kept}
    return found


def evaluate(folder: Path, count: int) -> dict:
    """How a model describes held-out scenes."""
    scenes = list(islice(sample_scenes("evaluation 0", held_out=True), count))
    rng = random.Random("curation")
    asker = Asker(*load(folder))
    pictures = [draw(scene, rng=rng) for scene in scenes]
    batches = [pictures[start : start + BATCH_SIZE] for start in range(0, count, BATCH_SIZE)]
    settings = {"do_sample": False, "max_new_tokens": MAX_NEW_TOKENS}
    answers = [one for batch in batches for one in asker.answers([INSTRUCTION] * len(batch), batch, **settings)]
    scores = [score_description(scene, a.text, a.finished) for scene, a in zip(scenes, answers, strict=True)]
    failed = failure_rate.summarise([failure_rate.score(a.text, finished=a.finished) for a in answers])
    facts = summarise_descriptions(scores)
    return {
        "failure_rate": failed["failure_rate"],
        "facts": facts["facts"],
        "facts_precision": facts["facts_precision"],
        "scenes_right": facts["scenes_right"],
        "scenes": count,
    }


def plot(results: list[dict], file: Path) -> None:
    """Bars for each set: failures, facts that are said, and how much of what is said is right."""
    rows = {
        f"{one['data']} ({one['rows']} rows)" if one["rows"] else one["data"]: {
            "failures, %": 100 * one["failure_rate"],
            "facts said, %": 100 * one["facts"],
            "right of what is said, %": 100 * one["facts_precision"],
        }
        for one in results
    }
    draw_bars(list(rows.items()), file)


if __name__ == "__main__":
    main()
