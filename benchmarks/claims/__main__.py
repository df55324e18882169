"""
`python -m benchmarks.claims OUTPUT [CLAIM …]`: the papers' claims in miniature, on nano's world.

Prints a JSON line for each model, and writes OUTPUT/claims.md with a plot for each claim. Every model and every measurement is kept: a
run that was stopped goes on there, and further seeds or claims add to what is known.
"""

import argparse
import json
import time
from pathlib import Path

from minigpt4.checkpoints.writing import unfinished_file

from .claims import CLAIMS, Subject
from .making import Workshop
from .page import write_page


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help=f"Default: all of {', '.join(CLAIMS)}.")
    parser.add_argument("--seeds", type=int, default=1, help="how many: 0 and so on")
    parser.add_argument("--scale", type=float, default=1.0, help="of nano's steps and rows")
    parser.add_argument("--scenes", type=int, default=300, help="held out, to measure on")
    parser.add_argument(
        "--nano-v2", default="nano-v2", help="the model of the claim on identifiers: a name or a folder"
    )
    args = parser.parse_args(arguments)
    if strange := set(args.claims) - set(CLAIMS):
        parser.error(f"there is no claim {min(strange)!r}: choose from {', '.join(CLAIMS)}")
    for name in args.claims or CLAIMS:
        for seed in range(args.seeds):
            workshop = Workshop(args.output / f"seed-{seed}-scale-{args.scale:g}", seed, args.scale, args.nano_v2)
            for subject in CLAIMS[name].subjects:
                try:
                    known = _result(subject, workshop, args.scenes)
                except FileNotFoundError as error:
                    print(f"{name}: skipped. {error}", flush=True)
                    break
                print(json.dumps({"claim": name, "model": subject.name, "seed": seed, **known}), flush=True)
    write_page(_known(args.output, args.scale, args.scenes), args.output, args.scale, args.scenes)


def _result(subject: Subject, workshop: Workshop, scenes: int) -> dict[str, float]:
    """What was measured of a model; made and measured if that is not known yet."""
    started = time.monotonic()
    model = subject.make(workshop)
    made = time.monotonic()
    note = _note(model, scenes)
    if not note.is_file():
        figures = subject.measure(model, scenes)
        seconds = {"seconds_to_make": round(made - started), "seconds_to_measure": round(time.monotonic() - made)}
        with unfinished_file(note) as part:
            part.write_text(json.dumps({**figures, **seconds}), encoding="utf-8")
    return json.loads(note.read_text(encoding="utf-8"))


def _note(model: Path, scenes: int) -> Path:
    return model / f"figures-{scenes}.json"


def _known(output: Path, scale: float, scenes: int) -> dict[str, list[dict[str, dict[str, float]]]]:
    """The figures of each seed of the claims of which all models were measured, by the model's name."""
    known: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in CLAIMS}
    for name, claim in CLAIMS.items():
        for folder in sorted(output.glob(f"seed-*-scale-{scale:g}")):
            workshop = _Finished(folder, 0, scale, "")
            notes = {one.name: _note(one.make(workshop), scenes) for one in claim.subjects}
            if all(note.is_file() for note in notes.values()):
                known[name].append(
                    {subject: json.loads(note.read_text(encoding="utf-8")) for subject, note in notes.items()}
                )
    return known


class _Finished(Workshop):
    """Where nothing is made any more."""

    def _made(self, name, make):
        return self.folder / name


if __name__ == "__main__":
    main()
