"""Fixtures: a real browser, and a user of it."""

import shutil

import pytest


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium. Playwright's event loop runs in this thread until it is closed, where other tests want their own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install it (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    flags = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update disable-sync"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[f"--{flag}" for flag in flags.split()])
        yield browser
        browser.close()


@pytest.fixture
def context(browser):
    """A user of their own."""
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    context.set_default_timeout(60_000)
    yield context
    context.close()
