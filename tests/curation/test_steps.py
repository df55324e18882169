"""Steps keep what they have done: a run that is killed at any time goes on, and its table is the same as without the kill."""

import json
import os
import signal
from pathlib import Path

import pytest
from datasets import load_dataset
from helpers.curation import LOOSE, ends_of_fork, run_all

from minigpt4.checkpoints.journal import Journal, read_lines
from minigpt4.curation import Table, merge, restore


RULES = {"continue": {"under": 40}, "mend": {"rules": True, "checks": {"shortest": 0}}, "filter": LOOSE}


def without_times(folder: Path) -> list[dict]:
    rows = Table.open(folder).rows
    for row in rows:
        for made in row.values():
            if isinstance(made, dict):
                del made["time"]
    return rows


def killed_at(number: int, recipe, step: str) -> None:
    """Run a step in a process of its own, which is killed while it writes for the `number`-th time."""

    def run_and_die() -> None:
        write, calls = Journal.write, iter(range(1, number))

        def write_or_die(self, lines):
            lines = list(lines)
            if self.file.suffix == ".part" and next(calls, None) is None:
                with self.file.open("a") as file:  # some lines, and a part of one
                    file.write("".join(json.dumps(line) + "\n" for line in lines)[:-9])
                os.kill(os.getpid(), signal.SIGKILL)
            write(self, lines)

        Journal.write = write_or_die
        run_all(recipe, step)

    assert ends_of_fork(run_and_die) == -signal.SIGKILL


def test_a_run_killed_in_every_step_gives_the_same_table(recipe, tmp_path):
    counts = run_all(recipe(**RULES, output=str(tmp_path / "whole")))
    assert counts["continue"].decisions["continued"] > 2
    assert counts["mend"].decisions["mended"] > 1
    again = recipe(**RULES)
    for step, number in (("generate", 2), ("continue", 2), ("mend", 2), ("filter", 1)):
        killed_at(number, again, step)
        run_all(again, step)
    assert without_times(tmp_path / "made") == without_times(tmp_path / "whole")
    assert not list((tmp_path / "made").glob("*.part"))


def test_what_is_done_is_skipped(recipe, texts, tmp_path):
    made = recipe(generate=texts(12), mend={"rules": True}, filter=LOOSE)
    run_all(made)
    before = Table.open(tmp_path / "made").rows
    (tmp_path / "texts.jsonl").unlink()
    (tmp_path / "texts.jsonl").touch()
    run_all(made)
    assert Table.open(tmp_path / "made").rows == before


def test_table_is_parquet_and_each_step_jsonl(recipe, texts, tmp_path):
    run_all(recipe(generate=texts(12), mend={"rules": True}))
    [table] = load_dataset("parquet", data_files=str(tmp_path / "made/table.parquet")).values()
    assert table.column_names == ["id", "image", "source", "generate", "continue", "mend", "filter", "review"]
    assert table[0]["generate"]["text"]
    lines = list(read_lines(tmp_path / "made/mend.jsonl"))
    assert [line["id"] for line in lines] == [str(number) for number in range(1, 13)]
    assert all(line["model"] == "rules" and line["before"] for line in lines)


def test_another_tool_does_a_step(recipe, texts, tmp_path):
    run_all(recipe(generate=texts(12)), "generate")
    lines = [
        {"id": "1", "text": "One.", "model": "by hand"},
        {"image": "more/0.png", "text": "Two."},
        {"id": "3", "decision": "drop", "reason": "no licence"},
    ]
    (tmp_path / "done.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    counts = run_all(recipe(generate=texts(12), mend={"from": str(tmp_path / "done.jsonl")}), "mend")
    assert str(counts["mend"]) == "12 in, 2 out; 2 done; 1 drop (no licence); 9 not done yet"
    table = Table.open(tmp_path / "made")
    assert table.text(table.by_id["1"], "filter") == "One."
    assert table.by_id["1"]["mend"]["model"] == "by hand"
    assert next(row["mend"]["text"] for row in table.rows if row["image"] == "more/0.png") == "Two."


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('{"id": "99", "text": "x"}', "line 1, is of no row"),
        ('{"id": "1", "text": 3}', "line 1, has a text that is not text"),
        ("[]", "line 1, is not an object but a list"),
        ("{", "line 1, is not valid JSON"),
    ],
)
def test_mistakes_in_a_file_of_another_tool(recipe, texts, tmp_path, line, error):
    run_all(recipe(generate=texts(1)), "generate")
    (tmp_path / "done.jsonl").write_text(line)
    with pytest.raises(ValueError, match=error):
        run_all(recipe(generate=texts(1), mend={"from": str(tmp_path / "done.jsonl")}), "mend")


def test_other_settings_are_not_mixed(recipe, tmp_path):
    run_all(recipe(**RULES), "generate", "continue")
    with pytest.raises(ValueError, match="continue was begun with another under: do it again with --redo continue"):
        run_all(recipe(**RULES | {"continue": {"under": 41}}), "continue")
    run_all(recipe(**RULES | {"continue": {"under": 1}}), "continue", redo=True)
    assert {row["continue"]["decision"] for row in Table.open(tmp_path / "made").rows} == {"long enough"}
    with pytest.raises(ValueError, match="source was begun with another images, sample: use another output"):
        run_all(recipe(source={"images": "x", "sample": 3}, **RULES))


def test_a_step_needs_the_one_before(recipe, texts):
    with pytest.raises(FileNotFoundError, match="run generate first"):
        run_all(recipe(**RULES), "mend")
    run_all(recipe(**RULES, generate=texts(12)), "generate")
    with pytest.raises(ValueError, match="No row has come to mend yet: run continue first"):
        run_all(recipe(**RULES, generate=texts(12)), "mend")
    with pytest.raises(ValueError, match="Unknown step 'mendd': did you mean 'mend'"):
        run_all(recipe(**RULES), "mendd")
    with pytest.raises(ValueError, match="The recipe has no review"):
        run_all(recipe(**RULES), "review")


def test_shards_merge_to_the_whole(recipe, tiny_checkpoint, tmp_path):
    steps = {"generate": {"model": str(tiny_checkpoint), "batch_size": 1}, "mend": {"rules": True}, "filter": LOOSE}
    run_all(recipe(**steps, output=str(tmp_path / "whole")))
    parts = recipe(**steps)
    for shard in ("1/3", "2/3", "3/3"):
        counts = run_all(parts, shard=shard)
        assert counts["generate"].into == 4
    merge(parts)
    run_all(parts)
    assert without_times(tmp_path / "made") == without_times(tmp_path / "whole")


def test_shards_that_lack_one(recipe, texts):
    parts = recipe(generate=texts(12))
    run_all(parts, shard="2/2")
    with pytest.raises(FileNotFoundError, match=r"shard-00001-of-00002 has no table\.parquet"):
        merge(parts)
    with pytest.raises(ValueError, match="give K/N"):
        run_all(parts, shard="3/2")


def test_drops_keep_their_reason_and_can_be_undone(recipe, texts, tmp_path):
    generate = texts("Too short.", "A red ball lies on the mat.", "A cat.", "A dog and a cat sit there.")
    made = recipe(generate=generate, filter=LOOSE | {"min_words": 5})
    counts = run_all(made)
    dropped = counts["filter"].decisions["drop (too short)"]
    assert dropped == 2
    folder = tmp_path / "made"
    first = next(row["id"] for row in Table.open(folder).rows if row["filter"]["reason"] == "too short")
    assert restore(made, [first]) == 1
    assert Table.open(folder).by_id[first]["filter"]["decision"] == "restored"
    assert restore(made, ["too short"]) == dropped - 1
    counts = run_all(recipe(generate=generate, filter=LOOSE | {"min_words": 6}))  # stays so with other rules
    assert counts["filter"].out == 4
    with pytest.raises(ValueError, match="'99' is neither a row that the filter dropped"):
        restore(made, ["99"])
