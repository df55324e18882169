"""What is exported reads back into stage 2 unchanged, and its card says how it was made."""

import json
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
import yaml
from datasets import load_dataset
from helpers import ROOT
from helpers.curation import LOOSE, ends_of_fork, run_all
from huggingface_hub import DatasetCard
from PIL import Image

from minigpt4.curation import Table, exporting, read_recipe
from minigpt4.processing import load_image
from minigpt4.training import read_recipe as read_training_recipe
from minigpt4.training.data.sources import load_train_rows
from minigpt4.training.row import row_images


TEXTS = ("A picture of noise.", "Another one, turned.", "In sixteen bits: “grey”.", "Gone.", "The last.")


@pytest.fixture
def folder(tmp_path):
    """Pictures that are easily changed on their way: JPEG, PNG, one that its EXIF turns, and one with 16 bits."""
    folder = tmp_path / "own"
    folder.mkdir()
    noise = Image.frombytes("RGB", (40, 30), random.Random(0).randbytes(40 * 30 * 3))
    noise.save(folder / "1.jpg", quality=70)
    exif = Image.Exif()
    exif[0x0112] = 6
    noise.save(folder / "2.jpg", exif=exif)
    Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50).save(folder / "3.png")
    noise.save(folder / "4.png")
    noise.save(folder / "5.png")
    return folder


@pytest.fixture
def exported(recipe, texts, folder, tmp_path, command):
    def call(**export):
        recipe(
            source={"images": str(folder), "licence": "CC BY 4.0"},
            generate=texts(*TEXTS) | {"model": "me/stage1", "licence": "other"},
            mend={"rules": True},
            filter=LOOSE | {"min_words": 2},
            export=export,
        )
        return command("curate", tmp_path / "recipe.yaml")

    return call


@pytest.mark.parametrize("form", ["cc_sbu_align", "dataset"])
def test_it_reads_back_into_stage_2_unchanged(exported, folder, tmp_path, form):
    result = exported()
    assert "export: 4 rows in" in result.out, result.err
    made = tmp_path / "made" / "export"
    data = {"data": form, "data_root": str(made)} if form == "cc_sbu_align" else {"data": str(made / form)}
    rows = list(
        load_train_rows(read_training_recipe("stage2", bf16=False, output_dir=str(tmp_path / "run"), **data).data)
    )
    kept = [row for row in Table.open(tmp_path / "made").rows if row["filter"]["decision"] == "keep"]
    assert [row["text"] for row in rows] == [TEXTS[index] for index in (0, 1, 2, 4)]
    for row, known in zip(rows, kept, strict=True):
        [image] = row_images(row)
        assert load_image(image).tobytes() == load_image(folder / known["image"]).tobytes()


def test_files_keep_their_bytes_and_ids(exported, folder, tmp_path):
    exported()
    align = tmp_path / "made/export/cc_sbu_align"
    content = json.loads((align / "filter_cap.json").read_text())
    assert content["annotations"][0] == {"image_id": "1", "caption": TEXTS[0]}
    assert [row["image_id"] for row in content["annotations"]] == ["1", "2", "3", "5"]
    assert (align / "image/1.jpg").read_bytes() == (folder / "1.jpg").read_bytes()
    assert (align / "image/5.jpg").read_bytes() == (folder / "5.png").read_bytes()
    rows = load_dataset(str(tmp_path / "made/export/dataset"), split="train")
    assert (rows[0]["id"], rows[0]["text"], rows[0]["image"].size) == ("1", TEXTS[0], (40, 30))
    assert rows[1]["image"].size == (30, 40)  # as the model saw it


def test_card(exported, tmp_path):
    exported(title="Noise", license="cc-by-4.0")
    card = DatasetCard.load(tmp_path / "made/export/dataset/README.md")
    assert card.data.license == "cc-by-4.0"
    assert card.data.to_dict()["language"] == "en"
    assert "| filter | 4 | 4 keep, 1 drop (too short) |" in card.text
    assert "| images | `own` | CC BY 4.0 |" in card.text
    assert "| model of mend | `rules` | not stated |" in card.text
    assert "no person" in " ".join(card.text.split())
    assert str(tmp_path) not in card.text


def test_argilla_has_each_row_with_its_picture(exported, folder, tmp_path):
    exported(argilla=True)
    records = json.loads((tmp_path / "made/export/argilla/records.json").read_text())
    assert [record["suggestions"]["text"]["value"] for record in records] == [TEXTS[index] for index in (0, 1, 2, 4)]
    assert load_image(records[0]["fields"]["image"]).tobytes() == load_image(folder / "1.jpg").tobytes()


def test_a_killed_export_leaves_nothing_half_and_is_made_again(exported, tmp_path):
    """Killed while it writes the third picture."""
    exported()
    made, before = tmp_path / "made/export", files_of(tmp_path / "made/export")
    recipe = read_recipe(tmp_path / "recipe.yaml")

    def export_and_die() -> None:
        image, calls = exporting._image, iter(range(2))

        def image_or_die(path):
            if next(calls, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return image(path)

        exporting._image = image_or_die
        exporting.export(recipe, tmp_path / "made")

    assert ends_of_fork(export_and_die) == -signal.SIGKILL
    assert not made.exists()  # nothing that could be taken for a whole one
    exported()
    assert files_of(made) == before
    assert [path.name for path in (tmp_path / "made").iterdir() if path.name.startswith((".export", "export"))] == [
        "export"
    ]


def files_of(folder) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_push(exported, hub, tmp_path):
    result = exported(repo="set")
    repo = hub.repos["datasets/somebody/set"]
    assert len(repo.branches["main"]) == 2
    assert result.out.splitlines()[-1] == f"{hub.endpoint}/somebody/set/commit/{repo.oid('main')}"
    assert {"README.md", "metadata.jsonl", "images/000/1.jpg"} <= {*repo.files}
    assert "filter" in repo.files["README.md"].decode()


def test_again_and_with_nothing_left(exported, command, tmp_path):
    exported()
    made = yaml.safe_load((tmp_path / "recipe.yaml").read_text())
    made["filter"]["min_words"] = 4
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(made))
    assert command("curate", tmp_path / "recipe.yaml").code == 0
    assert len(list((tmp_path / "made/export/cc_sbu_align/image").iterdir())) == 2
    made["filter"]["min_words"] = 400
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(made))
    assert "no row to export: generate: 5 in" in command("curate", tmp_path / "recipe.yaml").err


def test_several_processes_give_the_table_of_one(recipe, tmp_path, tiny_checkpoint):
    """By `accelerate launch`, as on several devices."""
    steps = {"generate": {"model": str(tiny_checkpoint), "batch_size": 2}}
    run_all(recipe(**steps, output=str(tmp_path / "one")), "generate")
    recipe(**steps)
    config = ROOT / "training" / "accelerate" / "cpu.yaml"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config, "-m", "minigpt4"]
    done = subprocess.run([*launch, "curate", tmp_path / "recipe.yaml", "generate"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("generate: 12 in, 12 out") == 1
    one, two = (Table.open(tmp_path / name).rows for name in ("one", "made"))
    assert [row["generate"]["text"] for row in one] == [row["generate"]["text"] for row in two]
