"""Files that are damaged, not as published, or made to do harm: each has its message and is counted."""

import json
import os
import pickle
import struct
import zlib
from pathlib import Path

import pytest

from minigpt4.training import DataArguments, SequenceArguments, SequenceCollator
from minigpt4.training.data.sets import OutsideError, open_set
from minigpt4.training.data.sets.pickles import read_plain_pickle
from minigpt4.training.data.sources import load_eval_rows, load_train_rows


def rewrite(file: Path, change) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.fixture
def many(tmp_path, write_sets):
    return write_sets(tmp_path / "many", rows=200)


def test_missing_images_under_the_limit_are_counted_and_said(many, capsys):
    (many / "gqa/images/7.jpg").unlink()
    rows = load_train_rows(DataArguments(data="gqa", data_root=str(many)))
    assert len(rows) == 199
    assert "7.jpg" not in {Path(rows[index]["images"][0]).name for index in range(199)}
    image = many / "gqa/images/7.jpg"
    assert rows.report.missing == [
        f"train_balanced_questions.json, row 8 names 7.jpg, but there is no {image}",
    ]
    said = capsys.readouterr().err
    assert "gqa: 199 of 200 rows, 1 without their image; first: train_balanced_questions.json, row 8 names" in said


def test_missing_images_over_the_limit_stop(many):
    for number in range(3):
        (many / f"gqa/images/{number}.jpg").unlink()
    with pytest.raises(
        ValueError, match=r"gqa: 3 rows cannot be used, 1\.5% of them, and max_broken allows 1\.0%: 197"
    ):
        open_set("gqa", many)
    assert len(open_set("gqa", many, max_broken=0.015)) == 197
    arguments = DataArguments(data="gqa", data_root=str(many), max_broken=0.02)
    assert len(load_train_rows(arguments)) == 197


def test_a_missing_image_counts_for_each_of_its_rows(published):
    rewrite(published / "gqa/train_balanced_questions.json", lambda rows: rows.append(rows[0]))
    (published / "gqa/images/0.jpg").unlink()
    assert len(open_set("gqa", published, max_broken=1).report.missing) == 2


@pytest.mark.parametrize(
    ("name", "file", "change", "message"),
    [
        ("gqa", "gqa/train_balanced_questions.json", lambda rows: rows[0].pop("question"), "has no 'question', only"),
        (
            "gqa",
            "gqa/train_balanced_questions.json",
            lambda rows: rows[0].update(question=5),
            "has 5 as its 'question'",
        ),
        ("coco_vqa", "vqav2/vqa_train.json", lambda rows: rows[0].update(answer=["a", 1]), r"not a list of texts"),
        ("coco_vqa", "vqav2/vqa_train.json", lambda rows: rows[0].update(answer=[]), r"has \[\] as its 'answer'"),
        ("aok_vqa", "aokvqa/aokvqa_v1p0_train.json", lambda rows: rows[0].pop("image_id"), "KeyError: 'image_id'"),
        (
            "gqa",
            "gqa/train_balanced_questions.json",
            lambda rows: rows.__setitem__(0, "text"),
            "is a str, not an object with fields",
        ),
        ("ocrvqa", "ocrvqa/dataset.json", lambda rows: rows["070"].pop("answers"), "key 070 has no 'image'"),
        (
            "refcoco",
            "refcoco_annotations/refcoco/instances.json",
            lambda coco: coco["annotations"].clear(),
            "has no 'bbox'",
        ),
        (
            "refvg",
            "visual_genome/image_data.json",
            lambda images: images[0].update(image_id=5),
            "row 1 has no 'phrase'",
        ),
        (
            "refvg",
            "visual_genome/image_data.json",
            lambda images: images[0].update(width=0),
            "size of an image must be",
        ),
        (
            "llava_detail",
            "llava/detail_23k.json",
            lambda rows: rows[0]["conversations"].pop(),
            "turns of human, not of",
        ),
        (
            "flickr_CaptionToPhrase",
            "filtered_flickr/captiontobbox.json",
            lambda rows: rows[0].update(output="see <ImageHere>"),
            "has <ImageHere> in its text",
        ),
        (
            "unnatural_instruction",
            "unnatural_instructions/filtered_unnatural_instruction.json",
            lambda rows: rows[0]["instances"].clear(),
            "is not as published",
        ),
    ],
)
def test_rows_with_wrong_fields_are_counted(published, name, file, change, message):
    rewrite(published / file, change)
    with pytest.raises(ValueError, match=message):
        open_set(name, published)
    rows = open_set(name, published, max_broken=1)
    assert len(rows.report.broken) >= 1
    assert len(rows) == 0


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("gqa", "gqa/train_balanced_questions.json", "{", r"train_balanced_questions\.json is not valid JSON"),
        (
            "gqa",
            "gqa/train_balanced_questions.json",
            "[" * 100_000,
            r"train_balanced_questions\.json is not valid JSON",
        ),
        (
            "gqa",
            "gqa/train_balanced_questions.json",
            "[]",
            r"gqa/train_balanced_questions\.json has no rows",
        ),
        ("gqa", "gqa/train_balanced_questions.json", "{}", "contains a dict, not a list of rows as published"),
        ("textcaps_caption", "textcaps/TextCaps_0.1_train.json", "[]", "is not an object with a list 'data'"),
        ("ocrvqa", "ocrvqa/dataset.json", "[]", "is not an object with a book under each key"),
        ("refcoco", "refcoco_annotations/refcoco/instances.json", "{}", r"instances\.json lacks 'annotations'"),
        ("refvg", "visual_genome/image_data.json", '[{"image_id": 1}]', r"an image lacks 'url'"),
        ("refcoco", "refcoco_annotations/refcoco/refs(unc).p", "nothing", r"refs\(unc\)\.p is not a readable pickle"),
    ],
)
def test_files_that_are_something_else(published, name, file, content, message):
    (published / file).write_text(content)
    with pytest.raises(ValueError, match=message):
        open_set(name, published)


class Harm:
    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_something(published, tmp_path, protocol):
    harmed = tmp_path / "harmed"
    file = published / "refcoco_annotations/refcoco+/refs(unc).p"
    file.write_bytes(pickle.dumps([Harm(harmed)], protocol))
    with pytest.raises(
        ValueError, match=r"refs\(unc\)\.p was not read: it wants to load (posix|nt)\.mkdir, and may hold"
    ):
        open_set("refcoco+", published)
    assert not harmed.exists()
    pickle.loads(file.read_bytes())
    assert harmed.exists()  # it would have


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_of_every_protocol(tmp_path, protocol):
    plain = [{"a": 1, "b": [2.5, None, True, "ü", b"x", 2**70], "c": {1, 2}, "d": frozenset("x"), "e": (1, 2)}]
    file = tmp_path / "plain.p"
    if protocol < 3:
        plain[0]["b"][4] = "x"  # bytes have no opcode there
    file.write_bytes(pickle.dumps(plain, protocol))
    assert read_plain_pickle(file) == plain


def test_texts_of_python_2(tmp_path):
    (tmp_path / "two.p").write_bytes(b"(lp0\nS'caf\\xc3\\xa9'\np1\na.")
    assert read_plain_pickle(tmp_path / "two.p") == ["café"]


@pytest.mark.parametrize("path", ["../../secret.jpg", "/etc/secret.jpg", "C:\\secret.jpg", "..\\secret.jpg"])
@pytest.mark.parametrize(
    ("name", "file"), [("gqa", "gqa/train_balanced_questions.json"), ("coco_vqa", "vqav2/vqa_train.json")]
)
def test_a_path_that_climbs_out(published, path, name, file):
    rewrite(published / file, lambda rows: rows[0].update(image=path))
    with pytest.raises(OutsideError, match=r"json, row 1 names the image .*secret\.jpg', which leaves its folder"):
        open_set(name, published, max_broken=1)


@pytest.mark.parametrize("number", ["../../secret", "/etc/secret"])
def test_a_number_that_climbs_out(published, number):
    rewrite(published / "cc_sbu_align/filter_cap.json", lambda file: file["annotations"][0].update(image_id=number))
    with pytest.raises(OutsideError, match=r"filter_cap\.json, row 1 names the image"):
        open_set("cc_sbu_align", published)


def test_links_may_not_leave_the_folder(published, tmp_path):
    images = published / "gqa/images"
    (images / "0.jpg").rename(tmp_path / "secret.jpg")
    (images / "0.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(
        OutsideError, match=r"gqa: train_balanced_questions\.json, row 1 names the image '0\.jpg', a link"
    ):
        open_set("gqa", published)
    (images / "0.jpg").unlink()
    (images / "there.jpg").write_bytes((tmp_path / "secret.jpg").read_bytes())
    (images / "0.jpg").symlink_to("there.jpg")
    assert len(open_set("gqa", published)) == 1


def test_a_folder_that_is_a_link_out(published, tmp_path):
    (published / "visual_genome/VG_100K").rename(tmp_path / "elsewhere")
    (published / "visual_genome/VG_100K").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutsideError, match="a link that leaves"):
        open_set("refvg", published)


def test_the_folder_of_the_images_may_be_a_link(published, tmp_path):
    (published / "gqa/images").rename(tmp_path / "elsewhere")
    (published / "gqa/images").symlink_to(tmp_path / "elsewhere")
    assert len(open_set("gqa", published)) == 1


def test_a_link_to_nothing_is_a_missing_image(published):
    (published / "gqa/images/0.jpg").unlink()
    (published / "gqa/images/0.jpg").symlink_to("nothing.jpg")
    assert len(open_set("gqa", published, max_broken=1).report.missing) == 1


def huge_png(path: Path) -> None:
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (huge_png, r"0\.jpg is too large to open safely: Image size \(900000000 pixels\)"),
        (lambda path: path.write_bytes(path.read_bytes()[:400]), r"0\.jpg is damaged or cut short"),
        (lambda path: path.write_text("no picture"), r"0\.jpg is not an image"),
    ],
)
def test_images_that_cannot_be_read_are_named(published, processor, damage, message):
    damage(published / "gqa/images/0.jpg")
    row = open_set("gqa", published)[0]
    with pytest.raises(ValueError, match=message):
        SequenceCollator(processor, SequenceArguments(training_template="v2"))([row])


def test_files_that_are_not_there(published, tmp_path):
    with pytest.raises(
        ValueError, match=r"gqa is a published set: use --set data_root=FOLDER, the folder that contains gqa/t"
    ):
        load_train_rows(DataArguments(data="gqa"))
    with pytest.raises(
        FileNotFoundError, match=r"There is no .*gqa/train_balanced_questions\.json: see docs/data\.md"
    ):
        open_set("gqa", tmp_path)
    for image in (published / "gqa/images").iterdir():
        image.unlink()
    (published / "gqa/images").rmdir()
    with pytest.raises(FileNotFoundError, match=r"gqa has its images in .*gqa/images, which is not a folder"):
        open_set("gqa", published)


def test_a_set_has_one_split(published):
    with pytest.raises(ValueError, match="gqa has no split 'validation': it is read whole, as 'train'"):
        load_eval_rows(DataArguments(eval_data="gqa", data_root=str(published)))
    rows = load_eval_rows(DataArguments(eval_data="gqa", data_root=str(published), eval_split="train", eval_rows=5))
    assert len(rows) == 1
