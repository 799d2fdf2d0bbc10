"""The page of `export html`, opened from a file in a headless Chromium: tweets, reasons, safety, colour schemes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.config.run import ModelConfig
from engine.config.sampling import SamplingConfig
from engine.export.web_page.page import web_page
from engine.model.vocab import Vocab
from engine.sampling.sampler import SampledTweet
from tests.engine.export.models import as_on_the_page, checkpoint_of, clear_tweets, random_model
from tests.installed import chromium

pytestmark = pytest.mark.ci

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
VOCAB = Vocab("etaoinshr dl<>/&\"'🌻👩\u200dابت漢")
CONFIG = ModelConfig(embedding_size=8, hidden_size=16, num_layers=2)
SAMPLING = SamplingConfig(temperature=0.8, max_length=40, min_p=0.02)
TWEET = "#tweet[aria-busy=false]"
TEMPERATURE = 1.5
DEADLINE_MILLISECONDS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page of a model with hostile names as a phone shows it; it must request nothing and report no problem."""
    checkpoint = checkpoint_of(random_model(len(VOCAB), CONFIG), CONFIG, VOCAB.chars, run=HOSTILE, sampling=SAMPLING)
    file = tmp_path / "page.html"
    file.write_text(web_page(checkpoint, "float16", None), "utf-8")
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 390, "height": 844}, offline=True)
    page = context.new_page()
    page.set_default_timeout(DEADLINE_MILLISECONDS)
    noted: list[str] = []
    page.on("request", lambda request: noted.append(request.url))
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    page.on("dialog", lambda dialog: noted.append(dialog.message))
    page.goto(file.as_uri())
    yield page
    assert set(noted) == {file.as_uri()}
    context.close()


def enter(page: Page, name: str, value: str) -> None:
    """Type into a field and leave it."""
    page.fill(f"#{name}", value)
    page.press(f"#{name}", "Enter")


def shows(page: Page, selector: str, text: str) -> None:
    """Wait until an element contains a text."""
    expect(page.locator(selector).first).to_contain_text(text, timeout=DEADLINE_MILLISECONDS)


def wrote(page: Page, tweet: SampledTweet) -> None:
    """Wait until this is the tweet."""
    expect(page.locator(TWEET)).to_have_text(tweet.text, timeout=DEADLINE_MILLISECONDS)


def program_tweet(seed: int, sampling: SamplingConfig = SAMPLING) -> SampledTweet:
    model = as_on_the_page(random_model(len(VOCAB), CONFIG), CONFIG, "float16")
    tweets = clear_tweets(model, VOCAB, sampling, [seed])
    assert tweets, "choose another seed: rounding may change this tweet"
    return tweets[seed]


def test_it_writes_the_tweets_of_the_program_and_explains_a_character(page: Page) -> None:
    enter(page, "seed", "2")
    wrote(page, program_tweet(2))
    page.click("#another")
    wrote(page, program_tweet(3))
    enter(page, "prompt", "he 🌻")
    wrote(page, program_tweet(3, replace(SAMPLING, prime="he 🌻")))
    slider = page.locator("#temperature")
    while float(slider.get_attribute("aria-valuetext") or "") < TEMPERATURE:
        slider.press("ArrowRight")
    tweet = program_tweet(3, replace(SAMPLING, prime="he 🌻", temperature=TEMPERATURE))
    wrote(page, tweet)
    shows(page, "#status", f"{tweet.bits_per_char:.2f} bits per character")

    number = len("he 🌻") + 1
    page.locator("#tweet span").nth(number).click()
    shows(page, "#why-sentence", f"{tweet.char_bits[number]:.2f} bits")
    assert page.locator("#bars [role=row]").count() in {8, 9}
    assert page.locator("#bars .chosen").count() == page.locator("#draw .mark").count() == 1
    shows(page, "#draw-sentence", "It lies in the share of")
    page.keyboard.press("ArrowLeft")
    shows(page, "#why-sentence", f"{tweet.char_bits[number - 1]:.2f} bits")
    page.press("#cursor", "Home")
    shows(page, "#why-sentence", "it is of the beginning that you gave")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than a phone"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        channels = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
        assert (max(channels) < 128) == (scheme == "dark")


def test_text_from_outside_is_shown_as_text_and_a_beginning_or_a_seed_that_cannot_be_used_is_named(page: Page) -> None:
    assert page.title() == page.text_content("h1") == HOSTILE
    shows(page, "#facts", HOSTILE)
    enter(page, "prompt", "<a></a>")
    shows(page, TWEET, "<a></a>")
    page.click("#another")
    shows(page, "#earlier bdi", "<a></a>")
    assert page.locator("img, a").count() == 0

    enter(page, "prompt", "")
    enter(page, "seed", "5")
    written = page.text_content(TWEET)
    for name, value, problem in (
        ("prompt", "the z寿", "The vocabulary lacks ‘z’ (U+007A), ‘寿’ (U+5BFF)."),
        ("prompt", "t" * SAMPLING.max_length, "shorter than 40 characters"),
        ("seed", "-1", "A seed is a whole number from 0 on."),
    ):
        enter(page, name, value)
        shows(page, f"#{name}-problem", problem)
        assert page.text_content(TWEET) == written
        enter(page, "prompt", "")
    enter(page, "seed", "5")
    assert page.text_content("#seed-problem") == page.text_content("#prompt-problem") == ""
    assert page.text_content(TWEET) == written


def test_with_motion_it_writes_one_tweet_after_another_until_it_is_paused(page: Page) -> None:
    page.emulate_media(reduced_motion="no-preference")
    page.reload()
    enter(page, "seed", "2")
    page.wait_for_selector("#pause:text('Continue')")  # a tweet that was asked for stays
    wrote(page, program_tweet(2))
    page.click("#pause")
    expect(page.locator("#seed")).to_have_value("4", timeout=DEADLINE_MILLISECONDS)
    page.click("#pause")
    page.locator("#earlier li", has_text="seed 3,").get_by_role("button").click()
    assert page.input_value("#seed") == "3"
    wrote(page, program_tweet(3))
