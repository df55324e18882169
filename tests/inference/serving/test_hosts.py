"""The page and the server are called by names of this machine, where they listen on it alone."""

import socket

import httpx
import pytest

from minigpt4.app import build_page, serve
from minigpt4.inference.serving.hosts import trusted_hosts
from minigpt4.inference.serving.listening import check_address, first_free_port, listens_on_loopback
from minigpt4.loading import load


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.5.5.5", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
    ],
)
def test_what_is_loopback(host, expected):
    assert listens_on_loopback(host) is expected
    assert (trusted_hosts(host).kwargs["allowed_hosts"] == ["*"]) is not expected


def test_a_host_that_does_not_exist():
    with pytest.raises(OSError, match=r"cannot listen on no-such-host\.invalid: it is not an address of this machine"):
        listens_on_loopback("no-such-host.invalid")


def test_the_first_free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as later:
        port, free = taken.getsockname()[1], later.getsockname()[1]
        later.close()
        assert first_free_port("127.0.0.1", [port, free]) == free
        with pytest.raises(OSError, match=rf"ports {port} to {port} are all in use; choose one with --port"):
            first_free_port("127.0.0.1", [port, port])
        with pytest.raises(OSError, match=rf"port {port}: .* in use; choose another"):
            first_free_port("127.0.0.1", [port])
    with pytest.raises(OSError, match="not an address of this machine"):
        first_free_port("192.0.2.1", [port, free])


def test_addresses_on_which_no_server_can_listen():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"cannot listen on localhost, port {port}: .* in use; choose another"):
            check_address("localhost", port)
    check_address("localhost", port)
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1: it is not an address of this machine"):
        check_address("192.0.2.1")


@pytest.fixture(scope="module")
def page(tiny_checkpoint):
    page = build_page(*load(tiny_checkpoint))
    yield serve(page)
    page.close(verbose=False)


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/queue/join"])
def test_the_page_refuses_other_names(page, path):
    with httpx.Client(base_url=page, trust_env=False) as client:
        refused = client.get(path, headers={"Host": "evil.example"})
        assert (refused.status_code, refused.text) == (400, "Invalid host header")
        for host in ("localhost", "[::1]:7860"):
            assert client.get("/", headers={"Host": host}).status_code == 200


def test_a_page_for_everyone_is_called_by_any_name(tiny_checkpoint):
    page = build_page(*load(tiny_checkpoint))
    address = serve(page, "0.0.0.0")
    try:
        with httpx.Client(base_url=address, trust_env=False) as client:
            assert client.get("/", headers={"Host": "anywhere.example"}).status_code == 200
    finally:
        page.close(verbose=False)
