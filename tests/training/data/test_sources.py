import json
from itertools import islice

import datasets
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from minigpt4.training import DataArguments, SequenceArguments, SequenceCollator
from minigpt4.training.data.mixtures import MixedBatches
from minigpt4.training.data.rows import number_rows
from minigpt4.training.data.sources import load_eval_rows, load_train_rows
from minigpt4.training.row import row_images


COLOURS = ["red", "green", "blue", "white"]


def read(data, **kwargs):
    return load_train_rows(DataArguments(data=str(data), **kwargs))


def test_a_folder_of_your_own(own_folder, processor):
    rows = read(own_folder)
    assert len(rows) == 8
    assert rows[1]["text"] == "green"
    # Images stay files: what cannot be read is named by the processor.
    assert row_images(rows[1])[0] == str(own_folder / "1.png")
    batch = SequenceCollator(processor, SequenceArguments())([rows[0], rows[1]])
    assert batch["pixel_values"].shape == (2, 3, 28, 28)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])  # the second is what spreadsheets write
def test_a_folder_with_csv(own_folder, encoding):
    (own_folder / "metadata.jsonl").unlink()
    (own_folder / "metadata.csv").write_text("file_name,caption\n0.png,a red square\n", encoding=encoding)
    rows = read(own_folder, data_columns={"text": "caption"})
    assert rows[0]["text"] == "a red square"


def test_a_folder_with_messages_and_several_images(own_folder, processor):
    chat = [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "The first."}]
    (own_folder / "metadata.jsonl").write_text(json.dumps({"file_names": ["0.png", "1.png"], "messages": chat}) + "\n")
    [row] = read(own_folder)
    assert row_images(row) == [str(own_folder / "0.png"), str(own_folder / "1.png")]
    batch = SequenceCollator(processor, SequenceArguments(training_template="vicuna"))([row])
    assert batch["pixel_values"].shape[0] == 2


def test_a_saved_set(tmp_path, processor):
    red = Image.new("RGB", (28, 28), "red")
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    saved = datasets.Dataset.from_dict({"image": [red] * 3, "text": ["a", "b", "c"]}, features=features)
    saved.save_to_disk(tmp_path / "one")
    rows = read(tmp_path / "one", data_rows=2)
    assert [row["text"] for row in rows] == ["a", "b"]
    assert SequenceCollator(processor, SequenceArguments())(list(rows))["pixel_values"].shape[0] == 2
    datasets.DatasetDict({"train": saved, "test": saved}).save_to_disk(tmp_path / "two")
    arguments = DataArguments(data="unused", eval_data=str(tmp_path / "two"), eval_split="test", eval_rows=1)
    assert len(load_eval_rows(arguments)) == 1
    with pytest.raises(ValueError, match="no split 'validation': it has train, test"):
        load_eval_rows(DataArguments(eval_data=str(tmp_path / "two")))


def test_drawn_scenes(processor):
    rows = read("scene-captions", data_rows=5)
    assert len(rows) == 5
    assert rows[0]["text"] == read("scene-captions", data_rows=5)[0]["text"]
    validation = load_eval_rows(DataArguments(eval_data="scene-captions", eval_rows=5))
    assert [row["text"] for row in (validation[index] for index in range(5))] != [
        rows[index]["text"] for index in range(5)
    ]


def test_a_stream(own_folder):
    batches = iter(MixedBatches(read(own_folder, streaming=True), batch_size=4, seed=0))
    texts = [row["text"] for batch in islice(batches, 4) for row in batch.rows]
    assert sorted(texts[:8]) == sorted(texts[8:]) == sorted(COLOURS * 2)  # each once in every pass
    assert texts[:8] != COLOURS * 2
    # To evaluate on, they come in their order.
    rows = load_eval_rows(DataArguments(eval_data=str(own_folder), eval_split="train", streaming=True))
    assert [row["text"] for row in number_rows(rows)] == COLOURS * 2


def test_numbers_and_epochs(own_folder):
    rows = number_rows(read(own_folder))
    rows.set_epoch(2)
    assert (rows[3]["row"], rows[3]["epoch"], rows[3]["text"]) == (3, 2, "white")


def test_no_data():
    with pytest.raises(ValueError, match=r"has no data: use --set data=FOLDER.*scene-captions"):
        load_train_rows(DataArguments())


def test_a_folder_without_metadata(own_folder):
    (own_folder / "metadata.jsonl").unlink()
    with pytest.raises(ValueError, match=r"has no metadata\.jsonl or metadata\.csv: write one"):
        read(own_folder)


def test_an_image_that_is_not_there(own_folder):
    (own_folder / "2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"metadata\.jsonl, row 3, names '2\.png', but there is no"):
        read(own_folder)


@pytest.mark.parametrize("name", ["../secret.png", "/secret.png"])
def test_an_image_outside_the_folder(own_folder, name):
    Image.new("RGB", (2, 2)).save(own_folder.parent / "secret.png")
    with (own_folder / "metadata.jsonl").open("a") as file:
        file.write("\n" + json.dumps({"file_name": name, "text": "secret"}))
    with pytest.raises(ValueError, match=r"metadata\.jsonl, row 9, names the image .*, which leaves its folder"):
        read(own_folder)


def test_images_that_are_in_no_row_are_said(own_folder, capsys):
    read(own_folder)
    assert capsys.readouterr().err.count("in no row") == 0
    Image.new("RGB", (2, 2)).save(own_folder / "new.png")
    assert len(read(own_folder)) == 8
    said = " ".join(capsys.readouterr().err.split())
    assert "1 images in" in said
    assert "are in no row of its metadata, first new.png." in said


def test_a_row_without_an_image(own_folder):
    (own_folder / "metadata.jsonl").write_text('{"text": "no picture"}\n')
    with pytest.raises(ValueError, match="row 1, has no image"):
        read(own_folder)


def test_metadata_that_is_no_json(own_folder):
    (own_folder / "metadata.jsonl").write_text("file_name: 1.png\n")
    with pytest.raises(ValueError, match=r"metadata\.jsonl, line 1, is not valid JSON"):
        read(own_folder)


def test_an_image_that_is_none(own_folder, processor):
    (own_folder / "0.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"0\.png is not an image"):
        SequenceCollator(processor, SequenceArguments())([read(own_folder)[0]])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a"]}, "has the columns text: 'image' or 'images' is missing"),
        ({"image": ["a"], "label": [1]}, "has the columns image, label: 'text' or 'messages' is missing"),
    ],
)
def test_a_column_that_is_missing(tmp_path, columns, message):
    datasets.Dataset.from_dict(columns).save_to_disk(tmp_path / "set")
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "set")


def test_a_column_that_is_not_there_to_rename(own_folder):
    with pytest.raises(ValueError, match="has no column 'caption': it has image, text"):
        read(own_folder, data_columns={"text": "caption"})


def test_a_name_that_is_nothing():
    with pytest.raises(ValueError, match="nowhere/nothing is not a local folder, and cannot be read from the Hub"):
        read("nowhere/nothing")


def test_workers_that_stay_see_the_epoch():
    rows = number_rows([{"text": "a"}] * 2)
    loader = DataLoader(rows, num_workers=1, persistent_workers=True, collate_fn=list)
    epochs = []
    for epoch in range(2):
        rows.set_epoch(epoch)
        epochs += [row["epoch"] for batch in loader for row in batch]
    assert epochs == [0, 0, 1, 1]


def test_several_sets_to_evaluate_on():
    rows = number_rows({"first": [{"text": "a"}], "second": [{"text": "b"}] * 2})
    assert [(name, len(each), each[0]["row"]) for name, each in rows.items()] == [("first", 1, 0), ("second", 2, 0)]
