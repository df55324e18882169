"""The soak asks for what it means to ask for, and tells flat memory from memory that grows."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import soak, soak_app, soak_serve
from benchmarks.hostile import site
from minigpt4.app import build_page, serve
from minigpt4.loading import load


REFUSED = "redirected bomb no_picture bad_number bad_message long_text no_json other_model other_host endless_address"
OF_SERVE = {
    **dict.fromkeys(
        ["describe", "talk", "second_turn", "stream", "complete", "response", "models", "large_picture"], "200"
    ),
    **dict.fromkeys(REFUSED.split(), "400"),
    **{"large_body": "413", "closed_path": "404", "hang_up": "hung up", "slow_address": "400"},
}
OF_APP = {
    **dict.fromkeys(
        ["describe", "talk", "example", "again", "clear", "undo", "reload", "alien_chat", "large_picture"], "done"
    ),
    **dict.fromkeys(["bomb", "no_picture", "too_many_pictures", "long_text"], "done, notice"),
    **{"leave": "200", "other_host": "400", "hang_up": "hung up"},
}


@pytest.fixture(scope="module")
def hostile():
    with site() as hostile:
        yield hostile


@pytest.fixture(scope="module")
def of_serve(deployed, hostile):
    return soak_serve.Visitor(f"http://127.0.0.1:{deployed.port}", hostile, random.Random(0))


@pytest.fixture(scope="module")
def page():
    page = build_page(*load())
    serve(page)
    yield page
    page.close(verbose=False)


@pytest.fixture(scope="module")
def of_app(page, hostile):
    return soak_app.Visitor(page.local_url, hostile, random.Random(0))


@pytest.fixture(scope="module")
def slow_address(of_serve):
    """It is waited for as long as the server allows, beside all others."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit(of_serve.slow_address)


@pytest.mark.parametrize("name", OF_SERVE)
def test_visitors_of_the_server(of_serve, slow_address, name):
    came = slow_address.result() if name == "slow_address" else getattr(of_serve, name)()
    assert str(came) == OF_SERVE[name]


@pytest.mark.parametrize("name", OF_APP)
def test_visitors_of_the_page(of_app, name):
    came = str(getattr(of_app, name)())
    assert came.removesuffix(", notice") == OF_APP[name].removesuffix(", notice")
    if "notice" in OF_APP[name]:  # of others it may say that an answer was cut off
        assert came.endswith(", notice")


def test_the_page_keeps_nothing_of_questions_that_were_answered(of_app, page):
    for _ in range(3):
        of_app.talk()
    assert len(page._queue.event_analytics) <= 1


def test_no_request_is_left_out(of_serve, of_app):
    assert {request.__name__ for request in of_serve.requests} == OF_SERVE.keys()
    assert {request.__name__ for request in of_app.requests} > OF_APP.keys()


@pytest.mark.parametrize(("growth", "code", "word"), [(0, 0, "0.0 MB/h"), (100, 1, "NOT FLAT"), (-100, 0, "flat")])
def test_the_slope_is_taken_after_the_warm_up_and_between_requests(capsys, growth, code, word):
    warm = [(minute * 60, minute, 500 + 40 * minute) for minute in range(15)]
    rows = [(minute * 60, minute, 1100 + growth * (minute // 5 - 3) / 12) for minute in range(15, 60)]
    rows[-3:] = [(*row[:2], row[2] + 200) for row in rows[-3:]]  # requests in flight
    assert soak.judge([*warm, *rows], Counter(talk=7), 15 * 60) == code
    output = capsys.readouterr().out
    assert word in output
    assert "7 talk" in output


def test_a_soak_that_is_too_short(capsys):
    assert soak.judge([(60 * minute, minute, 500) for minute in range(11)], Counter(), 60) == 2
