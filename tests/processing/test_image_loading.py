import base64
import contextlib
import http.server
import io
import os
import random
import re
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import PIL.EpsImagePlugin
import PIL.Image
import pytest

from minigpt4 import MiniGPT4ImageProcessorPil
from minigpt4.processing import load_image
from minigpt4.processing.image_formats import FORMATS, extensions
from minigpt4.processing.image_loading import AsStored


@pytest.fixture
def picture():
    rows, columns = np.mgrid[0:30, 0:50]
    return PIL.Image.fromarray(np.stack([columns * 5, rows * 8, columns + rows], -1).astype(np.uint8))


def encoded(image, kind="PNG", **kwargs):
    stream = io.BytesIO()
    image.save(stream, kind, **kwargs)
    return stream.getvalue()


@pytest.fixture
def site():
    """A web site with one picture at /picture.png and a page for everything else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        content: bytes = b""

        def do_GET(self):
            found = self.path == "/picture.png"
            body = self.content if found else b"<html>not here</html>"
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    server.server_close()


def test_from_everywhere_it_is_the_same_picture(picture, tmp_path, site, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    content = encoded(picture)
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    site.RequestHandlerClass.content = content
    text = base64.b64encode(content).decode()
    sources = [path, str(path), content, text, f"data:image/png;base64,{text}", f"{site.address}/picture.png", picture]
    for source in sources:
        loaded = load_image(source)
        assert loaded.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(loaded), np.asarray(picture), err_msg=str(source)[:60])


def test_a_picture_as_it_is_stored(picture, tmp_path):
    """As the published training reads pictures: Pillow's `convert("RGB")` and nothing else."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    for kind in ("png", "jpg", "webp"):
        path = tmp_path / f"photo.{kind}"
        picture.save(path, exif=exif)
        stored = np.asarray(PIL.Image.open(path).convert("RGB"))
        assert stored.shape == (30, 50, 3)
        loaded = load_image(AsStored(path))
        np.testing.assert_array_equal(np.asarray(loaded), stored)
        np.testing.assert_array_equal(np.asarray(load_image(loaded)), stored)  # as the image processor gets it
    PIL.Image.fromarray(np.full((2, 2), 1000, np.uint16)).save(tmp_path / "deep.png")
    clipped = PIL.Image.open(tmp_path / "deep.png").convert("RGB")
    np.testing.assert_array_equal(np.asarray(load_image(AsStored(tmp_path / "deep.png"))), np.asarray(clipped))


def test_a_rotated_photo_is_turned_upright(picture, tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    content = encoded(picture, exif=exif)
    (tmp_path / "photo.png").write_bytes(content)
    upright = np.rot90(np.asarray(picture), -1)
    for source in (content, tmp_path / "photo.png", PIL.Image.open(io.BytesIO(content))):
        np.testing.assert_array_equal(np.asarray(load_image(source)), upright)
    np.testing.assert_array_equal(np.asarray(load_image(load_image(content))), upright)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_every_mode_becomes_rgb_as_pillow_converts_it(picture, mode):
    image = picture.convert(mode)
    np.testing.assert_array_equal(np.asarray(load_image(image)), np.asarray(image.convert("RGB")))


def test_transparency_is_dropped_not_laid_over_white():
    image = PIL.Image.new("RGBA", (3, 2), (10, 20, 30, 0))
    assert load_image(encoded(image)).getpixel((0, 0)) == (10, 20, 30)


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_sixteen_bit_is_scaled_not_clipped(mode):
    grey = np.arange(256, dtype=np.uint16).reshape(16, 16)
    image = PIL.Image.fromarray(grey * 257).convert(mode)
    np.testing.assert_array_equal(np.asarray(load_image(image))[..., 0], grey)
    np.testing.assert_array_equal(np.asarray(load_image(encoded(PIL.Image.fromarray(grey * 257))))[..., 2], grey)


def test_a_missing_file_is_named(tmp_path):
    for source in (tmp_path / "no.png", "no.png", "abcd"):
        with pytest.raises(FileNotFoundError, match=f"No image file at .*{Path(source).name}"):
            load_image(source)


def test_a_folder_is_named(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder"):
        load_image(tmp_path)


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"notes\.png is not an image"):
        load_image(tmp_path / "notes.png")
    with pytest.raises(ValueError, match="the image of 3 bytes is not an image"):
        load_image(b"abc")
    with pytest.raises(ValueError, match="the data: image is not an image"):
        load_image("data:image/png;base64,not base64!")


@pytest.fixture
def ghostscript(tmp_path, monkeypatch):
    """A `gs` that only notes that it was started, as Pillow starts it for PostScript."""
    (tmp_path / "bin").mkdir()
    program, mark = tmp_path / "bin" / "gs", tmp_path / "started"
    program.write_text(f"#!/bin/sh\necho 10.0 | tee {mark}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(PIL.EpsImagePlugin, "gs_binary", None)
    return mark


def test_postscript_by_the_name_of_a_picture_starts_nothing(ghostscript, tmp_path, site, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    site.RequestHandlerClass.content = content
    text = base64.b64encode(content).decode()
    from_elsewhere = PIL.Image.open(path)  # as a data set hands it over, not decoded yet
    sources = [
        (path, str(path)),
        (content, f"the image of {len(content)} bytes"),
        (f"data:image/png;base64,{text}", "the data: image"),
        (f"{site.address}/picture.png", f"{site.address}/picture.png"),
        (from_elsewhere, str(path)),
    ]
    for source, name in sources:
        with pytest.raises(ValueError, match=rf"{re.escape(name)} is not an image in a supported format: .*JPEG.*PNG"):
            load_image(source)
    with pytest.raises(FileNotFoundError):  # nor is it taken for base64
        load_image(text)
    for convert in (True, False):
        with pytest.raises((ValueError, OSError), match="supported format"):
            MiniGPT4ImageProcessorPil()(from_elsewhere, do_convert_rgb=convert)
    assert not ghostscript.exists()


def test_every_announced_format_is_read(picture):
    for kind in FORMATS:
        if kind in PIL.Image.SAVE:
            assert load_image(encoded(picture, kind)).size == picture.size, kind
    more = encoded(picture, "MPO", save_all=True, append_images=[picture])  # as phones and cameras write JPEG
    for source in (more, PIL.Image.open(io.BytesIO(more))):
        assert load_image(source).size == picture.size
    assert {".jpg", ".jpeg", ".png", ".webp"} < extensions()
    assert not {".eps", ".ps", ".mpg", ".wmf"} & extensions()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_cut_short_is_named(tmp_path, kind):
    content = encoded(PIL.Image.effect_noise((200, 200), 80), kind)
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="cut is damaged or cut short"):
        load_image(tmp_path / "cut")
    with pytest.raises(ValueError, match="cut is damaged or cut short"):
        load_image(PIL.Image.open(tmp_path / "cut"))


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_read_or_refused_but_never_crash(picture):
    rng = random.Random(0)
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        content = encoded(picture, kind)
        for _ in range(60):
            damaged = bytearray(content)
            for _ in range(rng.randint(1, 6)):
                damaged[rng.randrange(min(len(damaged), 300))] = rng.randrange(256)
            with contextlib.suppress(ValueError):
                assert load_image(bytes(damaged)).mode == "RGB"


def test_a_decompression_bomb_is_refused_with_its_size(tmp_path):
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(9)))]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    for source in (tmp_path / "bomb.png", bomb, base64.b64encode(bomb).decode()):
        with pytest.raises(ValueError, match=r"too large to open safely: .*900000000 pixels"):
            load_image(source)


def test_an_address_without_an_image_is_named(site, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(ValueError, match=r"http://127\.0\.0\.1:.*/other: the server answered 404 Not Found"):
        load_image(f"{site.address}/other")
    with pytest.raises(ValueError, match=r"Could not read an image from http://127\.0\.0\.1:1/"):
        load_image("http://127.0.0.1:1/picture.png")


def test_errors_are_one_line(tmp_path):
    for source in (tmp_path, tmp_path / "no.png", b"abc", "x" * 5000):
        with pytest.raises((OSError, ValueError)) as error:
            load_image(source)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 400
