import re
import shlex
from dataclasses import replace
from itertools import islice

import pytest
import torch
import yaml
from datasets import Dataset, IterableDataset
from datasets.utils.file_utils import xopen
from helpers import read_guide
from PIL import Image
from torchdata.stateful_dataloader import StatefulDataLoader

from minigpt4.cli import run as command
from minigpt4.training import DataArguments, read_recipe
from minigpt4.training.data.mixtures import MixedBatches, MixedSet, Mixture
from minigpt4.training.data.readers import Lost
from minigpt4.training.data.shards import Shards
from minigpt4.training.data.sources import load_eval_rows, load_train_rows
from minigpt4.training.data.tally import Drawn, Tally
from minigpt4.training.recipe import parse_overrides
from minigpt4.training.run import run


def texts(size: int, start: int = 0) -> Dataset:
    """Rows without images, which say their numbers."""
    return Dataset.from_dict({"text": [str(start + number) for number in range(size)]})


def read(mixture: Mixture, batches: int, seed: int = 0, rank: int = 0, ranks: int = 1) -> list:
    return list(islice(MixedBatches(mixture, 2, seed, rank, ranks), batches))


def read_texts(batches) -> list[str]:
    return [row["text"] for batch in batches for row in batch.rows]


def test_each_batch_is_of_one_set_with_its_own_size():
    mixture = Mixture([MixedSet("three", texts(40), batch_size=3), MixedSet("own", texts(40, 100))])
    batches = read(mixture, 30)
    assert {(batch.set, len(batch.rows)) for batch in batches} == {(0, 3), (1, 2)}
    assert all((int(row["text"]) >= 100) == batch.set for batch in batches for row in batch.rows)


def test_sets_are_drawn_by_their_ratios():
    mixture = Mixture([MixedSet("laion", texts(9), 115), MixedSet("cc_sbu", texts(9), 14)])
    drawn = [batch.set for batch in read(mixture, 3000)]
    assert drawn.count(1) / 3000 == pytest.approx(14 / 129, abs=0.017)  # three deviations
    # Not in turns: now and then one set comes twice.
    assert re.search("11", "".join(map(str, drawn)))
    other = [batch.set for batch in read(mixture, 3000, rank=1, ranks=2)]
    assert other != drawn


def sets_of_two_kinds(write_shards, samples: int = 6) -> dict:
    return {"shards": Shards(write_shards("kinds", samples=samples)), "rows": texts(24)}


@pytest.mark.parametrize("kind", ["shards", "rows"])
def test_a_pass_reads_each_row_once_between_all_processes(write_shards, kind):
    rows = sets_of_two_kinds(write_shards)[kind]
    mixture = Mixture([MixedSet(kind, rows)], buffer=5)
    parts = [read_texts(read(mixture, 12, rank=rank, ranks=2)) for rank in range(2)]
    for begin, end in ((0, 12), (12, 24)):  # two passes
        passes = [part[begin:end] for part in parts]
        assert not set(passes[0]) & set(passes[1])
        assert len({*passes[0], *passes[1]}) == 24
    assert parts[0][:12] != parts[0][12:]


def test_more_readers_than_rows():
    """A set of three rows between four processes: all of them get all of it in time."""
    mixture = Mixture([MixedSet("few", texts(3))])
    for rank in range(4):
        assert set(read_texts(read(mixture, 9, rank=rank, ranks=4))) == {"0", "1", "2"}


@pytest.mark.parametrize("kind", ["shards", "rows"])
def test_the_seed_decides_the_order(write_shards, kind):
    rows = sets_of_two_kinds(write_shards)[kind]
    mixture = Mixture([MixedSet(kind, rows)], buffer=100)
    first, again, other = (read_texts(read(mixture, 12, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert (
        sorted(first)
        == sorted(other)
        == sorted(row["text"] for row in (rows.stream("x") if kind == "shards" else rows))
    )
    assert first != sorted(first)


def test_a_stream_of_datasets_in_a_mixture():
    rows = IterableDataset.from_generator(
        lambda files: ({"text": file} for file in files), gen_kwargs={"files": [*"abcd"]}
    )
    found = read_texts(read(Mixture([MixedSet("stream", rows)], buffer=2), 4))
    assert sorted(found[:4]) == sorted(found[4:]) == [*"abcd"]
    assert found[:4] != found[4:]


def as_keys(batch) -> tuple:
    return batch.set, [row["source"].rpartition("/")[2] for row in batch.rows], [each.why for each in batch.lost]


@pytest.mark.parametrize("workers", [0, 2])
def test_it_goes_on_from_a_state_with_the_next_batch(write_shards, write_tar, jpeg, workers):
    shards = Shards(write_shards("several", shards=6))
    write_tar("several/00002.tar", [("a.jpg", b"no image"), ("a.txt", b"a"), ("b.jpg", jpeg())])
    mixture = Mixture([MixedSet("shards", shards, 2, 4), MixedSet("rows", texts(5), 1, 3)], buffer=5)

    def loader(state: dict | None = None) -> StatefulDataLoader:
        batches = MixedBatches(mixture, 2, seed=7)
        made = StatefulDataLoader(
            batches, batch_size=None, num_workers=workers, collate_fn=as_keys, generator=torch.Generator()
        )
        if state:
            made.load_state_dict(state)
        return made

    def go_on(state: dict | None, count: int) -> tuple[list, dict]:
        made = loader(state)
        return list(islice(made, count)), made.state_dict()

    whole, _ = go_on(None, 24)
    lost = [why for _, _, each in whole for why in each]
    assert {"damaged image", "missing caption"} == set(lost)
    for first in (1, 8) if workers else range(1, 20, 3):
        begin, state = go_on(None, first)
        middle, state = go_on(state, 2)  # what is saved again at once has not changed
        end, _ = go_on(state, 24 - first - 2)
        assert begin + middle + end == whole


def test_going_on_does_not_read_again_what_was_read(write_shards, monkeypatch):
    mixture = Mixture([MixedSet("shards", Shards(write_shards("many", shards=10)))], buffer=6)
    begun = MixedBatches(mixture, 2, seed=0)
    expected = read_texts(islice(begun, 25))[-2:]  # 50 of 60 samples
    begun = MixedBatches(mixture, 2, seed=0)
    assert len(list(islice(begun, 24))) == 24
    opened = []
    monkeypatch.setattr(
        "minigpt4.training.data.shards.xopen", lambda name, mode: opened.append(name) or xopen(name, mode)
    )
    again = MixedBatches(mixture, 2, seed=0)
    again.load_state_dict(begun.state_dict())
    assert read_texts(islice(again, 1)) == expected
    assert len(opened) <= 3  # the one it was in, and those of the next samples


def test_fewer_shards_than_processes(write_shards):
    """Each process takes its samples out of all."""
    mixture = Mixture([MixedSet("one", Shards(write_shards("one", shards=1, samples=9)))], buffer=4)
    parts = [read_texts(read(mixture, 3, rank=rank, ranks=3))[:3] for rank in range(3)]
    assert len({text for part in parts for text in part}) == 9
    whole = read_texts(read(mixture, 7, rank=1, ranks=3))
    for first in range(1, 6):
        begun, again = (MixedBatches(mixture, 2, seed=0, rank=1, ranks=3) for _ in range(2))
        begin = read_texts(islice(begun, first))
        again.load_state_dict(begun.state_dict())
        assert begin + read_texts(islice(again, 7 - first)) == whole


def test_images_that_cannot_be_used_are_lost_and_counted(tmp_path, write_tar, jpeg):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no")
    names = ["good.png", "bad.png", "gone.png"]
    rows = Dataset.from_list([{"image": str(tmp_path / name), "text": name} for name in names])
    shards = Shards(
        str(write_tar("a.tar", [("x.jpg", jpeg()[:400]), ("x.txt", b"x"), ("y.jpg", jpeg()), ("y.txt", b"y")]))
    )
    [batch] = read(Mixture([MixedSet("rows", rows, batch_size=4)]), 1)
    assert [row["text"] for row in batch.rows] == ["good.png"] * 4
    assert batch.rows[0]["image"].getpixel((0, 0)) == (255, 0, 0)
    assert {(each.why, each.source) for each in batch.lost} == {
        ("damaged image", "rows, row 1"),
        ("missing image", "rows, row 2"),
    }
    [batch] = read(Mixture([MixedSet("shards", shards)]), 1)
    assert read_texts([batch]) == ["y", "y"]
    assert {(each.why, each.source) for each in batch.lost} == {("damaged image", f"{shards.name}/x")}


def test_a_set_of_which_nothing_can_be_used(tmp_path, write_tar, monkeypatch):
    monkeypatch.setattr("minigpt4.training.data.mixtures.MOST_LOST_IN_A_ROW", 30)
    rows = Dataset.from_list([{"image": str(tmp_path / "gone.png"), "text": "a"}])
    with pytest.raises(
        ValueError, match=r"30 samples in a row of gone cannot be used, .* gone, row 0 \(missing image\)"
    ):
        read(Mixture([MixedSet("gone", rows)]), 1)
    shards = Shards(str(write_tar("empty.tar", [])))
    with pytest.raises(ValueError, match=r"30 samples in a row of none cannot be used, .*empty\.tar \(empty shard\)"):
        read(Mixture([MixedSet("none", shards)]), 1)


def test_a_larger_share_than_allowed_stops(write_shards):
    damaged = [Lost("damaged image", f"image {number}") for number in range(20)]
    rows = MixedSet("rows", texts(300), 1.0)
    tally = Tally(Mixture([rows], max_broken=0.02))
    tally.add(Drawn(0, ["a"], damaged[:6]))  # of 300 rows
    with pytest.raises(
        ValueError,
        match=r"rows: more than 2\.00% cannot be used: 7 damaged image \(first image 0\)\. Fix it, or use --set",
    ):
        tally.add(Drawn(0, ["b"], damaged[6:7]))
    tally = Tally(Mixture([replace(rows, max_broken=0.5)], max_broken=0.02))
    tally.add(Drawn(0, ["a"], damaged[:20]))  # the set's own limit
    shards = MixedSet("shards", Shards(write_shards("some", shards=4)))
    tally = Tally(Mixture([shards], max_broken=0.02))
    tally.add(Drawn(0, ["a"], damaged))  # of a thousand at least
    with pytest.raises(ValueError, match=r"20 damaged image .*, 1 missing shard \(first s1\)"):
        tally.add(Drawn(0, ["b"], [Lost("missing shard", "s1")]))
    tally = Tally(Mixture([shards], max_broken=0.25))
    for _ in range(3):
        tally.add(Drawn(0, ["c"], [Lost("missing shard", "s1")]))  # the same shard, in each pass
    assert tally.sets[0].lost == {"missing shard": 1}


def test_the_table_is_of_all_processes():
    mixture = Mixture([MixedSet("first", texts(400), 3), MixedSet("second", texts(400), 1)])
    tallies = [Tally(mixture), Tally(mixture)]
    tallies[0].add(Drawn(0, ["a", "b"], [Lost("damaged image", "x")]))
    tallies[1].add(Drawn(0, ["c"], [Lost("damaged image", "y"), Lost("missing image", "z")]))
    tallies[1].add(Drawn(1, ["d"], []))
    loaded = Tally(mixture)
    loaded.load_state_dict(tallies[1].state_dict())
    table = tallies[0].table([tallies[0].state_dict(), loaded.state_dict()])
    columns = [list(column.cells) for column in table.columns]
    assert list(zip(*columns, strict=True)) == [
        ("first", "75.0%", "66.7%", "2", "3", "2 damaged image (first x), 1 missing image (first z)"),
        ("second", "25.0%", "33.3%", "1", "1", "nothing"),
    ]


def test_recipes_list_sets(own_folder, write_shards):
    shards = write_shards("some")
    root, _, name = shards.rpartition("/")
    entries = [
        {"name": name, "ratio": "115"},
        {"name": str(own_folder), "ratio": 14, "batch_size": 6, "rows": 5},
        {"name": "scene-captions", "rows": 7},
    ]
    mixture = load_train_rows(DataArguments(data=entries, data_root=root, shuffle_buffer=7, max_broken=0.5))
    assert [(each.ratio, each.batch_size) for each in mixture.sets] == [(115, None), (14, 6), (1, None)]
    assert mixture.sets[0].rows.shards[0] == f"{root}/00000.tar"
    assert [len(each.rows) for each in mixture.sets[1:]] == [5, 7]
    assert (mixture.buffer, mixture.max_broken) == (7, 0.5)
    # Shards alone are a mixture of one, wherever they are.
    [alone] = load_train_rows(DataArguments(data=shards, data_root="elsewhere")).sets
    assert alone.rows.shards == mixture.sets[0].rows.shards


def test_what_shards_cannot_be_asked(write_shards):
    shards = write_shards("some")
    with pytest.raises(ValueError, match=r"is an endless stream: remove data_rows and data_columns"):
        load_train_rows(DataArguments(data=shards, data_rows=3))
    with pytest.raises(ValueError, match="has no split 'test': shards are trained on whole"):
        load_train_rows(DataArguments(data=[{"name": shards, "split": "test"}]))
    for named in (shards, [{"name": "scene-captions"}]):
        with pytest.raises(ValueError, match=r"eval_data must be one set with a length, not shards or a list \(got "):
            load_eval_rows(DataArguments(eval_data=named))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            ["scene-captions"],
            r"Invalid entry in data, 'scene-captions': each set needs a name, and may have ratio, batch_size",
        ),
        ([{"ratio": 1}], "each set needs a name"),
        ([{"name": "scene-captions", "weight": 1}], r"'weight': 1\}: each set needs a name, and may have ratio"),
        ([{"name": "scene-captions", "ratio": 0}], r"The ratio of scene-captions must be above 0 \(got 0\.0\)"),
        (
            [{"name": "scene-captions", "batch_size": -1}],
            r"batch size of scene-captions must be at least 1 \(got -1\)",
        ),
        ([{"name": "scene-captions"}] * 2, "scene-captions is in the mixture twice"),
    ],
)
def test_lists_that_cannot_be(entries, message):
    with pytest.raises(ValueError, match=message):
        load_train_rows(DataArguments(data=entries))


@pytest.fixture
def mixed_recipe(recipe, write_shards, write_tar, jpeg, own_folder):
    """A recipe on four shards, one of them with a damaged image, and a folder."""
    shards = write_shards("mixed")
    write_tar(
        "mixed/00001.tar", [("bad.jpg", b"no image"), ("bad.txt", b"a"), ("good.jpg", jpeg()), ("good.txt", b"b")]
    )

    def make(**overrides):
        data = [{"name": shards, "ratio": 3, "batch_size": 3}, {"name": str(own_folder), "ratio": 1}]
        return recipe("stage1", **{"data": data, "max_steps": 9, "max_broken": 0.1, "bf16": False, **overrides})

    return make


def printed(capsys) -> list[list[str]]:
    """The cells of the table of sets."""
    lines = [line.split("│")[1:-1] for line in capsys.readouterr().err.splitlines()]
    return [[cell.strip() for cell in line] for line in lines if any("%" in cell for cell in line)]


def test_a_run_prints_what_was_drawn_and_lost(mixed_recipe, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    run(mixed_recipe(save_strategy="steps", save_steps=5))
    shards, folder = printed(capsys)
    assert (shards[1], folder[1]) == ("75.0%", "25.0%")
    assert int(shards[3]) + int(folder[3]) == 9
    assert (int(shards[4]), int(folder[4])) == (3 * int(shards[3]), 2 * int(folder[3]))
    assert re.fullmatch(r"\d damaged image \(first .*mixed/00001\.tar/bad\)", shards[5])
    assert folder[5] == "nothing"
    # A run that goes on has counted what came before, and what it is of must be the same.
    run(mixed_recipe(max_steps=10), resume=True)
    assert sum(int(row[3]) for row in printed(capsys)) == 10
    with pytest.raises(
        ValueError, match=r"checkpoint-\d+ is from a run with sets \[.*\], not \['scene-captions'\]: use the same"
    ):
        run(mixed_recipe(data=[{"name": "scene-captions"}]), resume=True)
    with pytest.raises(ValueError, match="from a run with dataloader_num_workers 0, not 1: use the same"):
        run(mixed_recipe(dataloader_num_workers=1), resume=True)


def test_mistakes_that_workers_find_are_one_line(mixed_recipe, write_tar, jpeg, monkeypatch):
    with pytest.raises(
        ValueError,
        match=r"^\S+ has 4 shard\(s\), too few for 5 workers in each of 1 process[^\n]* dataloader_num_workers=4\.$",
    ):
        run(mixed_recipe(dataloader_num_workers=5))
    good = [(f"{number}.{ending}", part) for number in (0, 1) for ending, part in (("jpg", jpeg()), ("txt", b"a"))]
    shard = write_tar("nearly.tar", [*good, *((f"bad{number}.jpg", jpeg()) for number in range(50))])
    monkeypatch.setattr("minigpt4.training.data.mixtures.MOST_LOST_IN_A_ROW", 5)
    with pytest.raises(
        ValueError, match=r"^5 samples in a row of \S+ cannot be used, [^\n]*missing caption\)\.$"
    ) as raised:
        run(mixed_recipe(data=str(shard), dataloader_num_workers=1))
    assert "DataLoader worker process 0" in str(raised.value.__cause__)


def test_a_run_stops_when_too_much_is_broken(mixed_recipe, write_shards):
    shards = write_shards("gap").replace("00003", "00004")
    with pytest.raises(
        ValueError, match=r"more than 10\.00% cannot be used: 1 missing shard \(first .*gap/00004\.tar\)"
    ):
        run(mixed_recipe(data=shards, max_steps=20))


def test_a_number_that_is_none_names_its_samples(mixed_recipe, monkeypatch):
    from minigpt4.training import NonFiniteError, StageTrainer

    compute_loss = StageTrainer.compute_loss
    monkeypatch.setattr(
        StageTrainer, "compute_loss", lambda *args, **kwargs: compute_loss(*args, **kwargs) * float("nan")
    )
    with pytest.raises(NonFiniteError, match=r"at step 1 \(rows .*/mixed/0000\d\.tar/\d-\d, "):
        run(mixed_recipe())


def test_the_guide_on_shards_and_mixtures(tiny_checkpoint, tmp_path, monkeypatch, capsys):
    guide = read_guide("data")
    [section] = re.findall(r"^## Shards and mixtures$.*?(?=^## |\Z)", guide, flags=re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    said, entries = "", None
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL):
        if language == "python":
            exec(compile(text, "docs/data.md", "exec"), {})
        elif language == "yaml":
            entries = yaml.safe_load(text)["data"]
        elif language == "sh":
            words = shlex.split(text.replace("=nano", f"={tiny_checkpoint}"))[1:]
            assert command(words) == 0
            said = capsys.readouterr().err
        else:
            assert text in said  # the same shares on every machine
    assert str(entries) in [str(parse_overrides([word])["data"]) for word in words if word.startswith("data=")]
    published = [entry["name"] for entry in read_recipe("stage1", bf16=False).data.data]
    assert all(f"`{name}`" in section for name in published)
