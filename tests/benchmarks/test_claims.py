"""`make claims`: every variant is made, measured and kept, and the page says what was measured and nothing else."""

import json

import pytest
from helpers import ROOT

from benchmarks.claims import __main__ as claims
from benchmarks.claims.claims import CLAIMS, Direction
from benchmarks.claims.making import VARIANTS, Workshop
from benchmarks.claims.page import write_page
from minigpt4.hub_cards.embedded import embedded


FIGURES = {
    "stage 1": {"failures": 35.0, "facts": 80.0, "right": 70.0, "questions": 60.0},
    "stages 1 and 2": {"failures": 2.0, "facts": 81.0, "right": 99.0, "questions": 50.0},
}


def not_packed(name):
    if name == "nano-v2":
        raise FileNotFoundError("nano-v2 is not in this installation.")
    return embedded(name)


def test_a_claim_is_measured_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.claims.making.embedded", not_packed)
    arguments = [str(tmp_path), "stages", "identifiers", "--scale", "0.004", "--scenes", "2"]
    claims.main(arguments)
    printed = capsys.readouterr().out
    rows = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [row["model"] for row in rows] == ["stage 1", "stages 1 and 2"]
    assert all(0 <= row[name] <= 100 for row in rows for name in ("failures", "facts", "right", "questions"))
    assert "identifiers: skipped. nano-v2 is not in this installation." in printed
    page = (tmp_path / "claims.md").read_text()
    assert "Stage 2 makes the model talk well" in page
    assert page.count("Not measured here yet") == 3
    assert [file.name for file in tmp_path.glob("*.png")] == ["claims-stages.png"]
    models = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("model.safetensors")}
    assert len(models) == 3  # the one to begin with, and after each stage
    [note] = tmp_path.rglob("published, 100% of stage 1, stage 2/figures-2.json")
    note.unlink()  # stopped while it measured
    claims.main([*arguments[:2], *arguments[3:]])
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [{**row, "seconds_to_make": 0, "seconds_to_measure": 0} for row in again] == [
        {**row, "seconds_to_make": 0, "seconds_to_measure": 0} for row in rows
    ]
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("model.safetensors")} == models


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_learn_from_nothing(variant, tmp_path):
    """And are what they say: the projection learns from zero, the frozen parts are nano's."""
    from transformers import AutoModelForImageTextToText

    from minigpt4 import nano_path

    folder = Workshop(tmp_path / "seed", 0, 0.004, "").stage(1, variant, share=0.5)
    made, nano = (AutoModelForImageTextToText.from_pretrained(one) for one in (folder, nano_path()))
    layers = [one for one in made.model.multi_modal_projector.modules() if hasattr(one, "weight")]
    assert len(layers) == (3 if variant == "three layers" else 1)
    assert all(layer.weight.abs().max() > 0 for layer in layers)
    assert (made.model.qformer is None) == (variant == "no Q-Former")
    known, theirs = made.state_dict(), nano.state_dict()
    frozen = {name for name in known if name in theirs and "multi_modal_projector" not in name}
    changed = {name for name in frozen if not known[name].equal(theirs[name])}
    assert bool(changed) == (variant == "Q-Former trained")
    assert all("qformer" in name or "query_tokens" in name for name in changed)


def test_the_page_says_what_agrees(tmp_path):
    other = {name: {**figures, "facts": figures["facts"] + 2} for name, figures in FIGURES.items()}
    page = write_page({"stages": [FIGURES, other]}, tmp_path, 0.5, 7).read_text()
    assert "| stage 1 | 35.0 (35.0 to 35.0) | 81.0 (80.0 to 82.0) |" in page
    lines = [line for line in page.splitlines() if line.startswith("- ")]
    assert ["**Agrees**" in line for line in lines] == [True, False, False]
    assert "facts told 81.0 → 82.0, about the same" in lines[1]
    assert "Measured with 2 seeds" in page
    assert "50% of the rows and steps" in page
    assert page.count("Not measured here yet") == len(CLAIMS) - 1


@pytest.mark.parametrize(("second", "direction"), [(50.0, "same"), (51.9, "same"), (52.1, "higher"), (47.9, "lower")])
def test_directions(second, direction):
    one = Direction("facts", "a", "b", "higher", "")
    assert one.ours({"a": {"facts": 50.0}, "b": {"facts": second}}) == direction


def test_the_guide_says_of_each_claim_whether_it_was_measured():
    page = (ROOT / "docs" / "claims.md").read_text()
    for claim in CLAIMS.values():
        section = page.partition(f"## {claim.title}\n")[2].partition("\n## ")[0]
        assert claim.text in section
        assert ("Measured with" in section) != ("Not measured here yet" in section)
        assert all(one.words in section for one in claim.directions)
