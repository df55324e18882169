import io
import json

import fsspec
import pytest
from PIL import Image

from minigpt4.checkpoints.shard_names import expand_shards
from minigpt4.training.data.shards import Shards, read_shards


def encoded(format: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "blue").save(file, format)
    return file.getvalue()


def what_is_broken(rows) -> list[tuple[str, str]]:
    return [(row["source"], row["broken"]) for row in rows if row["broken"]]


def test_names_with_numbers(tmp_path):
    assert expand_shards("laion/{00000..10488}.tar")[::10488] == ["laion/00000.tar", "laion/10488.tar"]
    assert expand_shards("s3://b/{8..10}.tar") == ["s3://b/8.tar", "s3://b/9.tar", "s3://b/10.tar"]
    assert expand_shards("{0..1}/{00..01}.tar") == ["0/00.tar", "0/01.tar", "1/00.tar", "1/01.tar"]
    with pytest.raises(ValueError, match=r"\{3\.\.1\} counts down. Use \{1\.\.3\}"):
        expand_shards("{3..1}.tar")
    with pytest.raises(FileNotFoundError, match=r"No shards found for .*5\}\.tar: use --set data_root=FOLDER"):
        Shards(f"{tmp_path}/{{0..5}}.tar")
    with pytest.raises(FileNotFoundError, match="No shards found for"):
        Shards(f"{tmp_path}/*.tar")


def test_names_with_a_star(write_shards, tmp_path):
    write_shards("some", shards=3)
    assert expand_shards(f"{tmp_path}/some/*.tar") == [f"{tmp_path}/some/0000{shard}.tar" for shard in range(3)]


def test_any_file_system(write_shards, tmp_path):
    write_shards("some", shards=2, samples=2)
    files = fsspec.filesystem("memory")
    files.put(f"{tmp_path}/some/", "/far/", recursive=True)
    shards = Shards("memory://far/*.tar")
    assert shards.shards == ["memory:///far/00000.tar", "memory:///far/00001.tar"]
    sources = sorted(row["source"] for row in shards.stream("any"))
    assert sources == [f"memory:///far/0000{shard}.tar/{shard}-{number}" for shard in (0, 1) for number in (0, 1)]
    with pytest.raises(FileNotFoundError, match="No shards found for memory://nowhere"):
        Shards("memory://nowhere/*.tar")


def test_samples_in_their_forms(write_tar, jpeg):
    caption = 'A "red" Square! (with a frame): see #1.'
    path = write_tar(
        "forms.tar",
        [
            ("a.jpg", jpeg()),
            ("a.json", json.dumps({"caption": caption, "url": "…"}).encode()),
            ("a.txt", b"the json goes first"),
            ("b.cls", b"7"),
            ("b.png", encoded("PNG")),
            ("b.txt", b" Two  words\n"),
            ("folder/b.txt", b"in a folder"),
            ("folder/b.WEBP", encoded("WEBP")),
        ],
    )
    rows = list(read_shards([str(path)]))
    assert [row["source"] for row in rows] == [f"{path}/a", f"{path}/b", f"{path}/folder/b"]
    assert [row["text"] for row in rows] == ["a red square with a frame see 1", "two words", "in a folder"]
    assert [Image.open(io.BytesIO(row["image"])).format for row in rows] == ["JPEG", "PNG", "WEBP"]
    assert what_is_broken(rows) == []


def test_broken_samples_are_rows_that_say_why(write_tar, jpeg):
    good = [("good.jpg", jpeg()), ("good.txt", b"good")]
    broken = {
        "no-json": ([("jpg", jpeg())], "missing caption"),
        "no-image": ([("json", b'{"caption": "a"}')], "missing image"),
        "no-bytes": ([("jpg", b""), ("txt", b"a")], "missing image"),
        "bad-json": ([("jpg", jpeg()), ("json", b"{nope")], "damaged caption"),
        "other-json": ([("jpg", jpeg()), ("json", b'{"url": "a"}')], "damaged caption"),
        "json-list": ([("jpg", jpeg()), ("json", b"[1]")], "damaged caption"),
        "null": ([("jpg", jpeg()), ("json", b'{"caption": null}')], "damaged caption"),
        "bytes": ([("jpg", jpeg()), ("txt", b"\xff\xfe")], "damaged caption"),
        "marks": ([("jpg", jpeg()), ("txt", b" ... ")], "empty caption"),
    }
    members = [(f"{key}.{ending}", content) for key, (parts, _) in broken.items() for ending, content in parts]
    path = write_tar("broken.tar", [*good, *members, ("last.jpg", jpeg()), ("last.txt", b"last")])
    rows = list(read_shards([str(path)]))
    assert what_is_broken(rows) == [(f"{path}/{key}", why) for key, (_, why) in broken.items()]
    assert [row["text"] for row in rows if not row["broken"]] == ["good", "last"]


def cut_within_a_member(content: bytes) -> bytes:
    return content[: 512 + 100]


def cut_between_members(content: bytes) -> bytes:
    return content[: 4 * 1024]


def cut_within_a_header(content: bytes) -> bytes:
    return content[: 4 * 1024 + 100]


def overwritten_header(content: bytes) -> bytes:
    return content[: 4 * 1024] + b"\x07" * 512 + content[4 * 1024 + 512 :]


def no_tar(content: bytes) -> bytes:
    return b"<html>404</html>" * 100


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        (cut_within_a_member, []),
        (cut_between_members, ["0"]),
        (cut_within_a_header, ["0"]),
        (overwritten_header, ["0"]),
        (no_tar, []),
    ],
)
def test_a_damaged_shard_is_a_row_that_says_so(write_tar, damage, left):
    """Each sample is two members of a header and 512 bytes. The one before the damage may not be whole."""
    members = [(f"{key}.{ending}", bytes([65]) * 512) for key in range(4) for ending in ("jpg", "txt")]
    path, other = write_tar("damaged.tar", members), write_tar("other.tar", members[:4])
    path.write_bytes(damage(path.read_bytes()))
    rows = list(read_shards([str(path), str(other)]))
    assert what_is_broken(rows) == [(str(path), "damaged shard")]
    good = [row["source"] for row in rows if not row["broken"]]
    assert good[: len(left)] == [f"{path}/{key}" for key in left]
    assert good[-2:] == [f"{other}/0", f"{other}/1"]


def test_shards_that_are_not_there_or_empty(write_tar, tmp_path):
    empty = write_tar("empty.tar", [])
    rows = read_shards([f"{tmp_path}/none.tar", str(empty)])
    assert what_is_broken(rows) == [(f"{tmp_path}/none.tar", "missing shard"), (str(empty), "empty shard")]


def test_a_shard_that_may_not_be_read_stops_the_run(monkeypatch, tmp_path):
    """What the user can mend at once is not counted as damage."""

    def refuse(*args):
        raise PermissionError("not yours")

    monkeypatch.setattr("minigpt4.training.data.shards.xopen", refuse)
    with pytest.raises(PermissionError, match="not yours"):
        list(read_shards(["a.tar"]))
