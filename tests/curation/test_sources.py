"""Pictures of every kind of source, drawn at random from a seed; none outside of its folder."""

import io
import tarfile

import datasets
import pytest
from helpers.curation import run_all
from helpers.loopback_hub import Repo
from PIL import Image

from minigpt4.curation import Table
from minigpt4.curation.recipe import Source
from minigpt4.curation.sources import draw_sample, picture_path, root_of


@pytest.fixture(scope="module")
def shards(tmp_path_factory, pictures):
    """Two webdataset shards of six samples each."""
    folder = tmp_path_factory.mktemp("shards")
    files = sorted(pictures.rglob("*.png"))
    for number in range(2):
        with tarfile.open(folder / f"{number:05}.tar", "w") as tar:
            for file in files[number * 6 : number * 6 + 6]:
                for suffix, content in (("png", file.read_bytes()), ("txt", b"a caption")):
                    member = tarfile.TarInfo(f"{file.stem}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return folder


def test_folder(pictures, tmp_path):
    source = Source(images=str(pictures), sample=5, seed=1)
    rows = draw_sample(source, tmp_path)
    assert rows == draw_sample(source, tmp_path)
    assert [row["id"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert all((root_of(source, tmp_path) / row["image"]).is_file() for row in rows)
    others = draw_sample(Source(images=str(pictures), sample=5, seed=2), tmp_path)
    assert {row["image"] for row in others} != {row["image"] for row in rows}
    assert len(draw_sample(Source(images=str(pictures)), tmp_path)) == 12


def test_shards(shards, pictures, tmp_path):
    source = Source(images=f"{shards}/*.tar", sample=5, seed=1)
    rows = draw_sample(source, tmp_path)
    assert len(rows) == 5
    originals = {file.stem: file for file in pictures.rglob("*.png")}
    for row in rows:
        assert (tmp_path / "images" / row["image"]).read_bytes() == originals[row["source"]].read_bytes()
    for names in ([f"{shards}/00001.tar", f"{shards}/00000.tar"], f"{shards}/{{00000..00001}}.tar"):
        named = Source(images=names, sample=5, seed=1)
        assert {row["source"] for row in draw_sample(named, tmp_path)} == {row["source"] for row in rows}
    with pytest.raises(FileNotFoundError, match=r"none-\*\.tar has no shards"):
        draw_sample(Source(images=f"{shards}/none-*.tar"), tmp_path)


def test_data_set(pictures, tmp_path):
    files = sorted(map(str, pictures.rglob("*.png")))
    features = datasets.Features({"picture": datasets.Image()})
    datasets.Dataset.from_dict({"picture": files}, features=features).save_to_disk(tmp_path / "set")
    source = Source(images=str(tmp_path / "set"), column="picture", sample=4)
    rows = draw_sample(source, tmp_path)
    for row in rows:
        assert (
            Image.open(tmp_path / "images" / row["image"]).tobytes() == Image.open(files[int(row["source"])]).tobytes()
        )
    with pytest.raises(ValueError, match=r"has no column 'image': it has picture; set source\.column"):
        draw_sample(Source(images=str(tmp_path / "set")), tmp_path)


def test_data_set_on_the_hub(hub, monkeypatch, pictures, recipe, tmp_path):
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", hub.endpoint)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    files = sorted(pictures.rglob("*.png"))
    features = datasets.Features({"picture": datasets.Image()})
    images = [{"bytes": file.read_bytes(), "path": None} for file in files]
    datasets.Dataset.from_dict({"picture": images}, features=features).to_parquet(tmp_path / "pictures.parquet")
    repo = hub.repos["datasets/somebody/pictures"] = Repo()
    repo.files["data/train-00000-of-00001.parquet"] = (tmp_path / "pictures.parquet").read_bytes()
    made = recipe(source={"images": "somebody/pictures", "column": "picture", "sample": 4})
    assert run_all(made)["generate"].out == 4
    for row in Table.open(tmp_path / "made").arriving("export"):
        assert (tmp_path / "made/images" / row["image"]).read_bytes() == files[int(row["source"])].read_bytes()
        assert row["generate"]["decision"] == "described"


def test_pictures_outside_the_folder_are_refused(pictures, tmp_path):
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "out.png").symlink_to(pictures / "1.png")
    with pytest.raises(ValueError, match=r"'out.png' is outside of .*linked"):
        draw_sample(Source(images=str(folder)), tmp_path)
    for name in ("../secret.png", "/etc/passwd"):
        with pytest.raises(ValueError, match="is outside of"):
            picture_path(folder, name)


def test_sources_that_are_none(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty has no pictures"):
        draw_sample(Source(images=str(tmp_path / "empty")), tmp_path)
    (tmp_path / "cut.tar").write_bytes(b"no tar")
    with pytest.raises(ValueError, match=r"cut\.tar.* cannot be read"):
        draw_sample(Source(images=str(tmp_path / "cut.tar")), tmp_path)
