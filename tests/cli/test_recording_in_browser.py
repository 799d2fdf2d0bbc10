"""The animated picture of a replay in a real browser: as a page, as an image, and without animation."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import browser_path
from tests.cli.program import PROGRAM
from tests.recorded_runs import TWEET, run_of, write_run
from tests.waiting import wait_until

SEEK = """seconds => document.getAnimations().forEach(animation => {
    animation.pause();
    animation.currentTime = 1000 * seconds;
})"""
VISIBLE_TEXT = """() => [...document.querySelectorAll("g > g, g > text")]
    .filter(element => getComputedStyle(element).visibility == "visible")
    .map(element => element.textContent).join(" ")"""
AS_IMAGE = '<!doctype html><title>x</title><link rel="icon" href="data:,"><img src="run.svg" width="800" alt="run">'
NUM_SECONDS = 8


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = browser_path()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_run(home, run_of(NUM_SECONDS))
    command = [*PROGRAM, "runs", "replay", "first", "--svg", "run.svg"]
    # by another process: Playwright runs an event loop in this one
    subprocess.run(command, cwd=home, env=os.environ | {"TWEETGEN_HOME": str(home)}, check=True)
    return home / "run.svg"


def opened(browser: Browser, path: Path, noted: list[str], *, is_still: bool = False) -> Page:
    """Open a file; `noted` grows by what the console reports and by what is requested besides the file."""
    page = browser.new_page(reduced_motion="reduce" if is_still else "no-preference")
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    page.on("request", lambda request: noted.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    return page


def test_it_plays_from_the_first_screen_to_the_last(browser: Browser, picture: Path) -> None:
    noted: list[str] = []
    page = opened(browser, picture, noted)
    shots, texts = [], []
    for seconds in (0.01, NUM_SECONDS / 2, NUM_SECONDS + 0.5):
        page.evaluate(SEEK, seconds)
        shots.append(page.screenshot())
        texts.append(page.evaluate(VISIBLE_TEXT))
    assert "training begins" in texts[0]
    assert TWEET.format(2).removeprefix("🌻 ") in texts[1]
    assert "training begins" not in texts[1]
    assert "end of the replay" in texts[2]
    assert len(set(shots)) == len(shots)
    assert noted == []


def test_where_motion_is_reduced_the_last_screen_is_shown(browser: Browser, picture: Path) -> None:
    noted: list[str] = []
    still = opened(browser, picture, noted, is_still=True)
    playing = opened(browser, picture, noted)
    playing.evaluate(SEEK, NUM_SECONDS + 0.5)
    assert still.evaluate(VISIBLE_TEXT) == playing.evaluate(VISIBLE_TEXT)
    assert still.screenshot() == playing.screenshot()
    assert noted == []


def test_it_is_an_image_of_a_page(browser: Browser, picture: Path) -> None:
    page_path = picture.with_name("page.html")
    page_path.write_text(AS_IMAGE, encoding="utf-8")
    noted: list[str] = []
    page = opened(browser, page_path, noted)
    image = page.locator("img")
    image.evaluate("image => image.decode()")
    assert image.evaluate("image => image.naturalWidth") > 0
    before = image.screenshot()
    wait_until(lambda: image.screenshot() != before, "another screen")
    assert noted == [picture.as_uri()]
