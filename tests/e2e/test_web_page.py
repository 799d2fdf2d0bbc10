"""The page of `export html`, opened from a file in a headless Chromium: tweets, reasons, safety, colour schemes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from engine.config.run import ModelConfig
from engine.config.sampling import SamplingConfig
from engine.export.web_page.page import web_page
from engine.model.vocab import Vocab
from engine.sampling.sampler import SampledTweet
from tests.browser import browser_path
from tests.engine.export.web_page.scripts import as_on_the_page, checkpoint_of, clear_tweet, model_of

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
VOCAB = Vocab("etaoinshr dl<>/&\"'🌻👩\u200dابت漢")
CONFIG = ModelConfig(embedding_size=8, hidden_size=16, num_layers=2)
SAMPLING = SamplingConfig(temperature=0.8, max_length=40, min_p=0.02)
TEMPERATURE = 1.5
DEADLINE_MILLISECONDS = 60_000


@dataclass
class Opened:
    """A page, and all that it must not do."""

    page: Page
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def tweet(self) -> str:
        """The tweet, once it is written."""
        self.page.wait_for_selector("#tweet[aria-busy=false]")
        return self.page.text_content("#tweet") or ""

    def set(self, name: str, value: str) -> None:
        """Type into a field and leave it."""
        self.page.fill(f"#{name}", value)
        self.page.press(f"#{name}", "Enter")

    def set_temperature(self, temperature: float) -> None:
        """Move the slider with the arrow keys."""
        slider = self.page.locator("#temperature")
        while float(slider.get_attribute("aria-valuetext") or "") < temperature:
            slider.press("ArrowRight")

    def char(self, number: int) -> Locator:
        return self.page.locator("#tweet span").nth(number)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a model with hostile names."""
    checkpoint = checkpoint_of(model_of(VOCAB, CONFIG), VOCAB, CONFIG, run=HOSTILE, sampling=SAMPLING)
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(web_page(checkpoint, "float16", None), "utf-8")
    return path


@pytest.fixture(params=["light", "dark"])
def opened(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Iterator[Opened]:
    """The page as a phone shows it, without animations; it must request nothing and report no problem."""
    scheme = request.param
    context = browser.new_context(
        color_scheme=scheme, reduced_motion="reduce", viewport={"width": 390, "height": 844}, offline=True
    )
    opened = Opened(context.new_page())
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.on("console", lambda message: opened.problems.append(message.text))
    opened.page.on("pageerror", lambda error: opened.problems.append(str(error)))
    opened.page.on("dialog", lambda dialog: opened.problems.append(dialog.message))
    opened.page.goto(file.as_uri())
    yield opened
    assert opened.requests == [file.as_uri()]
    assert opened.problems == []
    context.close()


def program_tweet(seed: int, sampling: SamplingConfig = SAMPLING) -> SampledTweet:
    model = as_on_the_page(model_of(VOCAB, CONFIG), CONFIG, "float16")
    tweet = clear_tweet(model, VOCAB, sampling, seed)
    assert tweet is not None, "choose another seed: rounding may change this tweet"
    return tweet


def test_it_writes_the_tweets_of_the_program_and_explains_a_character(opened: Opened) -> None:
    opened.set("seed", "2")
    assert opened.tweet == program_tweet(2).text
    opened.page.click("#another")
    assert opened.tweet == program_tweet(3).text
    opened.set("prompt", "he 🌻")
    assert opened.tweet == program_tweet(3, replace(SAMPLING, prime="he 🌻")).text
    opened.set_temperature(TEMPERATURE)
    tweet = program_tweet(3, replace(SAMPLING, prime="he 🌻", temperature=TEMPERATURE))
    assert opened.tweet == tweet.text
    assert f"{tweet.bits_per_char:.2f} bits per character" in (opened.page.text_content("#status") or "")

    number = len("he 🌻") + 1
    opened.char(number).click()
    assert f"{tweet.char_bits[number]:.2f} bits" in (opened.page.text_content("#why-sentence") or "")
    assert opened.page.locator("#bars [role=row]").count() in {8, 9}
    assert opened.page.locator("#bars .chosen").count() == opened.page.locator("#draw .mark").count() == 1
    assert "It lies in the share of" in (opened.page.text_content("#draw-sentence") or "")
    opened.page.keyboard.press("ArrowLeft")
    assert f"{tweet.char_bits[number - 1]:.2f} bits" in (opened.page.text_content("#why-sentence") or "")
    opened.page.press("#cursor", "Home")
    assert "it is of the beginning that you gave" in (opened.page.text_content("#why-sentence") or "")


def test_text_from_outside_is_shown_as_text(opened: Opened) -> None:
    assert opened.page.title() == opened.page.text_content("h1") == HOSTILE
    assert HOSTILE in (opened.page.text_content("#facts") or "")
    opened.set("prompt", "<a></a>")
    assert opened.tweet.startswith("<a></a>")
    opened.page.click("#another")
    assert (opened.page.text_content("#earlier bdi") or "").startswith("<a></a>")
    assert opened.page.locator("img, a").count() == 0


def test_a_beginning_or_a_seed_that_cannot_be_used_is_named(opened: Opened) -> None:
    opened.set("seed", "5")
    written = opened.tweet
    opened.set("prompt", "the z寿")
    assert "The vocabulary lacks ‘z’ (U+007A), ‘寿’ (U+5BFF)." in (opened.page.text_content("#prompt-problem") or "")
    assert opened.tweet == written
    opened.set("prompt", "t" * SAMPLING.max_length)
    assert "shorter than 40 characters" in (opened.page.text_content("#prompt-problem") or "")
    opened.set("prompt", "")
    opened.set("seed", "-1")
    assert "A seed is a whole number from 0 on." in (opened.page.text_content("#seed-problem") or "")
    opened.set("seed", "5")
    assert opened.page.text_content("#seed-problem") == opened.page.text_content("#prompt-problem") == ""
    assert opened.tweet == written


def test_it_follows_the_colour_scheme_and_fits_a_phone(opened: Opened) -> None:
    is_dark = opened.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    channels = opened.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
    assert (max(channels) < 128) == is_dark
    opened.set("seed", "5")
    assert opened.tweet
    opened.char(3).click()
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_with_motion_it_writes_one_tweet_after_another_until_it_is_paused(browser: Browser, file: Path) -> None:
    page = browser.new_page(reduced_motion="no-preference")
    page.goto(file.as_uri())
    page.fill("#seed", "2")
    page.press("#seed", "Enter")
    page.wait_for_selector("#pause:text('Continue')")  # a tweet that was asked for stays
    assert page.text_content("#tweet") == program_tweet(2).text
    page.click("#pause")
    expect(page.locator("#seed")).to_have_value("4", timeout=DEADLINE_MILLISECONDS)
    page.click("#pause")
    page.locator("#earlier li", has_text="seed 3,").get_by_role("button").click()
    assert page.input_value("#seed") == "3"
    assert page.text_content("#tweet") == program_tweet(3).text
    page.close()
