"""Addresses are fetched within limits, whatever stands behind them. All sites are on this machine."""

import asyncio

import pytest
from PIL import Image

from benchmarks.hostile import bomb, encoded, site
from minigpt4.processing import load_image
from minigpt4.processing.fetching import fetch, fetch_now


@pytest.fixture
def hostile(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with site() as hostile:
        yield hostile


@pytest.mark.parametrize("path", ["/drip", "/headers"])
def test_the_deadline_is_for_the_whole(hostile, path):
    """Each byte comes in time for a limit of single steps."""
    with pytest.raises(ValueError, match=r"http://127.*: it did not arrive within 1 seconds\.$"):
        load_image(hostile.address + path, timeout=1)
    assert hostile.dripping[path].is_set()


def test_the_event_loop_goes_on(hostile):
    async def both() -> list[str]:
        ended: list[str] = []

        async def slow() -> None:
            with pytest.raises(ValueError, match="did not arrive within"):
                await fetch(f"{hostile.address}/drip", 2, 100)
            ended.append("drip")

        async def fast() -> None:
            assert await fetch(f"{hostile.address}/page", 60, 100) == b"here"
            ended.append("page")

        hostile.pages["/page"] = b"here"
        await asyncio.gather(slow(), fast())
        return ended

    assert asyncio.run(both()) == ["page", "drip"]


def test_in_a_running_event_loop(hostile):
    """As in a notebook."""

    async def cell() -> bytes:
        return fetch_now(f"{hostile.address}/page", 60, 100)

    hostile.pages["/page"] = b"here"
    assert asyncio.run(cell()) == b"here"


def test_no_more_is_read_than_the_limit(hostile):
    with pytest.raises(ValueError, match="it is larger than the limit of 3 MB"):
        load_image(f"{hostile.address}/endless", max_bytes=3_000_000)
    assert hostile.sent < 20_000_000  # 3 MB, and what was on its way


def test_redirects(hostile):
    hostile.pages["/picture"] = encoded(Image.new("RGB", (3, 2), "red"))
    hostile.redirects["/there"] = "/picture"
    assert load_image(f"{hostile.address}/there").size == (3, 2)
    for path in ("/file", "/loop"):
        with pytest.raises(ValueError, match="Could not read an image from"):
            load_image(hostile.address + path)


def test_no_site_of_the_open_network_redirects_into_a_closed_one(hostile, monkeypatch):
    """The proxy stands for the open network: it answers for an address there."""
    inside = f"{hostile.address}/inside"
    hostile.pages["/inside"] = encoded(Image.new("RGB", (3, 2), "red"))
    assert load_image(inside).size == (3, 2)  # who asks for it may have it
    hostile.redirects["http://8.8.8.8/picture"] = inside
    monkeypatch.setenv("HTTP_PROXY", hostile.address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(ValueError, match=r"it is redirected to 127\.0\.0\.1, which is in a private network"):
        load_image("http://8.8.8.8/picture")


def test_pictures_are_bounded_before_they_are_decoded(hostile, tmp_path):
    hostile.pages["/bomb"] = bomb()
    (tmp_path / "bomb.png").write_bytes(bomb())
    line = r"too large to open safely: 13000 x 13000 is more than 50 million pixels"
    for source in (bomb(), tmp_path / "bomb.png", f"{hostile.address}/bomb"):
        with pytest.raises(ValueError, match=line):
            load_image(source, max_pixels=50_000_000)
    picture = encoded(Image.new("L", (30, 20)))
    assert load_image(picture, max_pixels=600).size == (30, 20)
    with pytest.raises(ValueError, match="30 x 20 is more than"):
        load_image(picture, max_pixels=599)
