"""GRIT's shards: captions with boxes, as three tasks."""

import random
from collections import Counter
from itertools import islice

import pytest
from PIL import Image

from minigpt4.processing import load_image, parse_grounding
from minigpt4.processing.tasks import TASKS
from minigpt4.training import DataArguments
from minigpt4.training.data.mixtures import MixedBatches
from minigpt4.training.data.sets import SHARD_SETS
from minigpt4.training.data.shards import Shards
from minigpt4.training.data.sources import load_train_rows
from minigpt4.training.row import row_images

from .conftest import GRIT, IMAGE_SIZE, write_shard


def made(name: str, seed: int = 0, **changes) -> tuple[str, str]:
    row = SHARD_SETS[name].make({**GRIT, **changes}, random.Random(seed))
    asked, answered = (message["content"] for message in row["messages"])
    return asked, answered


def test_a_grounded_caption_has_every_phrase_where_it_stands():
    """Angle brackets of the caption are no marks; a phrase within another is part of it; a phrase may have two boxes."""
    asked, answered = made("grit_grounded_caption")
    assert asked in TASKS["grounding"].forms
    assert answered == (
        "<p>A Dog</p> {<12><0><25><100>} and <p>two cats</p> {<50><25><75><50>}<delim>{<75><25><100><50>}, on  a  mat"
    )
    read = parse_grounding(answered)
    assert (read.text, read.problems) == ("A Dog and two cats, on  a  mat", [])


def test_an_expression_and_its_place_both_ways():
    """The longer expression has one box; of the other there are two, which \"the location\" does not tell apart."""
    for seed in range(10):
        asked, answered = made("grit_refer", seed)
        assert asked in [form.format("a dog and two cats, on a mat") for form in TASKS["refer"].forms]
        assert answered == "{<12><0><25><100>}"
        asked, answered = made("grit_identify", seed)
        assert asked in [form.format("{<12><0><25><100>}") for form in TASKS["identify"].forms]
        assert answered == "a dog and two cats, on a mat"
    assert len({made("grit_refer", seed)[0] for seed in range(40)}) == len(TASKS["refer"].forms)


def test_an_expression_of_several_boxes_only():
    several = GRIT["ref_exps"][:2]
    boxes = "{<50><25><75><50>}", "{<75><25><100><50>}"
    assert made("grit_refer", ref_exps=several)[1] == "<delim>".join(boxes)
    asked = {made("grit_identify", seed, ref_exps=several)[0] for seed in range(40)}
    assert all(any(box in each for each in asked) for box in boxes)
    assert not any("delim" in each for each in asked)


@pytest.mark.parametrize("name", [name for name in SHARD_SETS if name.startswith("grit")])
@pytest.mark.parametrize(
    "damage",
    [
        {"noun_chunks": [], "ref_exps": []},
        {"noun_chunks": None, "ref_exps": None},
        {"noun_chunks": [[0, 5]], "ref_exps": [[0, 5]]},
        {"noun_chunks": [[0, 50, 0, 0, 1, 1, 1]], "ref_exps": [[0, 50, 0, 0, 1, 1, 1]]},
        {"noun_chunks": [[0, 5, 0, 0, 1, float("nan"), 1]], "ref_exps": [[0, 5, 0, 0, 1, float("nan"), 1]]},
        {"noun_chunks": [[0, 5, 0, 0, 1, "1", 1]], "ref_exps": [[0, 5, 0, 0, 1, "1", 1]]},
        {"caption": None},
    ],
)
def test_damaged_annotations_are_rows_that_say_so(name, damage, tmp_path):
    write_shard(tmp_path / "0.tar", [("good", GRIT), ("damaged", {**GRIT, **damage})])
    rows = Shards(f"{tmp_path}/0.tar", SHARD_SETS[name]).stream("0")
    assert [row["broken"] for row in rows] == [None, "damaged caption"]


def test_a_mixture_draws_anew_in_every_pass_and_resumes_with_the_same(tmp_path):
    write_shard(tmp_path / "grit/00000.tar", [(f"{number:08}", GRIT) for number in range(4)])
    names = ["grit_grounded_caption", "grit_refer", "grit_identify"]

    def batches() -> MixedBatches:
        entries = [{"name": name, "ratio": number + 1} for number, name in enumerate(names)]
        data = DataArguments(data=entries, data_root=str(tmp_path), shuffle_buffer=2)
        return MixedBatches(load_train_rows(data), batch_size=2, seed=3)

    def texts(drawn) -> list:
        return [[row["messages"] for row in batch.rows] for batch in drawn]

    first = batches()
    stream = iter(first)
    drawn = list(islice(stream, 12))
    state = first.state_dict()
    following = texts(islice(stream, 6))
    again = batches()
    again.load_state_dict(state)
    assert texts(islice(iter(again), 6)) == following
    tasks = Counter(row["task"] for batch in drawn for row in batch.rows)
    assert set(tasks) == {"grounding", "refer", "identify"}
    # Four samples, so more than one pass over each of the sets that is drawn most.
    asked = {row["messages"][0]["content"] for batch in drawn for row in batch.rows if row["task"] == "identify"}
    assert len(asked) > 3


def test_pictures_are_read_as_they_are_stored(tmp_path):
    """Boxes are those of the stored picture, so a note in it that it lies on its side changes nothing."""
    exif = Image.Exif()
    exif[0x0112] = 6
    write_shard(tmp_path / "grit/00000.tar", [("one", GRIT)], exif=exif)
    mixture = load_train_rows(DataArguments(data="grit_refer", data_root=str(tmp_path)))
    [batch] = islice(MixedBatches(mixture, batch_size=1, seed=0), 1)
    [image] = row_images(batch.rows[0])
    assert image.size == IMAGE_SIZE
    [upright] = row_images(next(iter(Shards(f"{tmp_path}/grit/*.tar"))))
    assert load_image(upright).size == IMAGE_SIZE[::-1]
