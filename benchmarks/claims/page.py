"""What was found, as a page: a table and a plot for each claim, and in plain words whether it agrees."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from benchmarks.bars import draw_bars
from minigpt4.checkpoints.writing import unfinished_file

from .claims import CLAIMS, SAME, Claim


Figures = dict[str, dict[str, float]]
NAMES = {
    "failures": "failures, %",
    "facts": "facts told, %",
    "right": "right of what is said, %",
    "questions": "questions right, %",
    "all tasks": "right, mean of the tasks, %",
}

NOT_MEASURED = "Not measured here yet:"

INTRODUCTION = """# The papers' claims in miniature

`make claims` trains nano again in the ways that the papers compare: its towers and its language model as they are in the package, the projection from
nothing, with {how}. Each model is measured on {scenes} drawn scenes that none of them was trained on, one description and
four questions for each. A direction agrees where our difference has the published sign, or is under {same:g} points where the published figures are about the same.
The figures are from `make claims ARGS="--scale {scale:g} --scenes {scenes}"`, with `--seeds` where several are told; without ARGS all steps
and rows are taken, and 300 scenes.

The published models see photographs, have some thousand times as many parameters, and were judged by people or on other sets: only directions can be
compared, not figures. One world of drawn shapes is no proof of any of this, or against it.
"""


def write_page(known: Mapping[str, list[Figures]], output: Path, scale: float, scenes: int) -> Path:
    """
    Write `claims.md`, and a plot for each claim that was measured.

    Args:
        known (`Mapping`): figures of each seed by the model's name, of the claims that were measured, by the claim's name.
        output (`Path`): the folder.
        scale, scenes: as they were measured.
    """
    how = "nano's own recipes" if scale == 1 else f"{scale:.0%} of the rows and steps of nano's own recipes"
    text = [INTRODUCTION.format(scenes=scenes, scale=scale, how=how, same=SAME)]
    output.mkdir(parents=True, exist_ok=True)
    for name, claim in CLAIMS.items():
        text.append(f"## {claim.title}\n{claim.text}\n")
        if not known.get(name):
            published = "; ".join(one.words for one in claim.directions)
            text.append(f"Published: {published}. {NOT_MEASURED} `make claims ARGS={name}` does.\n")
            continue
        seeds, file = known[name], f"claims-{name}.png"
        means = _means(seeds)
        shown = [key for key in next(iter(means.values())) if key in NAMES]
        bars = [(one, {NAMES[key]: figures[key] for key in shown if key != "right"}) for one, figures in means.items()]
        draw_bars(bars, output / file)
        plot = f"![{claim.title}: the figures of the table as bars]({file})\n"
        text += [_table(claim, seeds, shown), plot, _said(claim, means, len(seeds))]
    with unfinished_file(output / "claims.md") as part:
        part.write_text("\n".join(text), encoding="utf-8")
    return output / "claims.md"


def _means(seeds: Sequence[Figures]) -> Figures:
    return {
        name: {key: mean(one[name][key] for one in seeds) for key in figures} for name, figures in seeds[0].items()
    }


def _table(claim: Claim, seeds: Sequence[Figures], shown: Sequence[str]) -> str:
    head = ["", *(NAMES[key] for key in shown), claim.column]
    lines = [head, ["---"] * len(head)]
    for subject in claim.subjects:
        cells = [_cell([one[subject.name][key] for one in seeds]) for key in shown]
        lines.append([subject.name, *cells, subject.published])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(values: Sequence[float]) -> str:
    spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    return f"{mean(values):.1f}{spread}"


def _said(claim: Claim, means: Mapping[str, Mapping[str, float]], seeds: int) -> str:
    lines = []
    for one in claim.directions:
        ours, name = one.ours(means), NAMES[one.figure].removesuffix(", %")
        agrees = "**Agrees**" if ours == one.published else "**Does not agree**"
        first, second = (means[subject][one.figure] for subject in (one.first, one.second))
        word = "about the same" if ours == "same" else ours
        lines.append(f"- Published: {one.words}. Ours: {name} {first:.1f} → {second:.1f}, {word}. {agrees}.")
    runs = "one seed" if seeds == 1 else f"{seeds} seeds, with the lowest and the highest"
    return "\n".join([*lines, f"\nMeasured with {runs}.\n"])
