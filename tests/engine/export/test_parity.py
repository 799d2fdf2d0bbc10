"""The web page draws the program's own tweets, in Node and in Chromium, and is safe whatever names and texts it has.

Same uniform numbers, log-probabilities and text from the same seeds.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.checkpoint import Checkpoint
from engine.compute.stepper import CharStepper
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig
from engine.config.sampling import MAX_TEMPERATURE, SamplingConfig
from engine.errors import ConfigError
from engine.export import WeightFormat
from engine.export.copies import Copies, Figures
from engine.export.web_page import page_data, page_tensors, web_page
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, Vocab
from engine.sampling.logits import NEVER_SAMPLED
from engine.sampling.sampler import SampledTweet, uniforms_of
from tests.engine.export import models
from tests.engine.export.models import as_on_the_page, checkpoint_of, clear_tweets, decoded, random_model, run_scripts
from tests.engine.helpers import code_of
from tests.installed import chromium

LETTERS = Vocab("etaoinshr dlcumw.,!@#")
EMOJI = Vocab("e🌻❤\ufe0f👩\u200d🚀ابتש漢字́ <&\"'\\")
SEEDS = [*range(16), 2**31, 2**32 + 5, 10**30]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model and the way in which it is sampled."""

    model: ModelConfig
    sampling: SamplingConfig
    vocab: Vocab = LETTERS
    weights: WeightFormat = "float16"

    def random_model(self) -> TextGenerator:
        model = random_model(len(self.vocab), self.model)
        model.proj.bias.data[EOS] -= 1.0  # for longer tweets
        return model

    def page_data(self, model: TextGenerator) -> str:
        """Return the page data of this model."""
        checkpoint = checkpoint_of(model, self.model, self.vocab.chars, sampling=self.sampling)
        return page_data(checkpoint, self.weights, None)


ONE = ModelConfig(embedding_size=8, hidden_size=18)
NGRAMS = replace(ONE, ngram_order=4, ngram_contexts=600)
SHORT = SamplingConfig(max_length=50)
CASES = {
    "one layer": Case(model=ONE, sampling=SHORT),
    "four layers": Case(model=replace(ONE, num_layers=4), sampling=SHORT),
    "int8": Case(model=replace(ONE, num_layers=2), sampling=SHORT, weights="int8"),
    "tied": Case(model=replace(ONE, embedding_size=18, tied_embeddings=True), sampling=SHORT),
    "n-gram input": Case(model=replace(NGRAMS, num_layers=2), sampling=SHORT),
    "n-gram input, int8": Case(model=NGRAMS, sampling=SHORT, weights="int8"),
    "emoji": Case(model=ONE, sampling=SHORT, vocab=EMOJI),
    "prompt": Case(model=ONE, sampling=replace(SHORT, prime="the 🌻"), vocab=Vocab("the 🌻abc")),
    "low temperature": Case(model=ONE, sampling=replace(SHORT, temperature=0.2)),
    "greedy": Case(model=ONE, sampling=replace(SHORT, temperature=0.0)),
    "top-k": Case(model=ONE, sampling=replace(SHORT, top_k=5)),
    "top-p": Case(model=ONE, sampling=replace(SHORT, top_p=0.7, temperature=1.5)),
    "min-p": Case(model=ONE, sampling=replace(SHORT, min_p=0.1, temperature=2.0)),
    "all filters": Case(model=ONE, sampling=replace(SHORT, top_k=9, top_p=0.9, min_p=0.05, temperature=0.5)),
    "temperature last": Case(
        model=ONE, sampling=replace(SHORT, top_k=9, top_p=0.9, min_p=0.05, temperature=3.0, temperature_last=True)
    ),
}


def test_the_page_writes_the_tweets_of_the_program_from_the_same_seeds() -> None:
    tweets, pages = {}, []
    for name, case in CASES.items():
        model = case.random_model()
        tweets[name] = clear_tweets(as_on_the_page(model, case.model, case.weights), case.vocab, case.sampling, SEEDS)
        assert len(tweets[name]) > len(SEEDS) / 2, name
        prompt_ids = case.vocab.encode(case.sampling.prime)
        jobs = [{"kind": "tweet", "prompt_ids": prompt_ids, "seed": str(seed)} for seed in tweets[name]]
        pages.append((case.page_data(model), jobs))
        assert ('"proj.weight"' in pages[-1][0]) != case.model.tied_embeddings, "tied ones are in the page once"
    for (name, case), results in zip(CASES.items(), run_scripts(pages), strict=True):
        for tweet, found in zip(tweets[name].values(), results, strict=True):
            ids = [char["id"] for char in found["chars"]]
            assert case.vocab.decode(ids) == tweet.text, name
            assert (ids[-1] == EOS) == tweet.reached_eos, name
            assert found["bits_per_char"] == pytest.approx(tweet.bits_per_char, rel=1e-4), name
            assert [char["bits"] for char in found["chars"]] == pytest.approx(tweet.char_bits, abs=0.006), name


def test_the_log_probabilities_agree_with_the_program_to_1e_5_over_140_characters() -> None:
    cases = [CASES["n-gram input"], CASES["int8"]]
    ids = models.random_ids(len(LETTERS))[0, :140].tolist()
    drawn = [case.random_model() for case in cases]
    job = {"kind": "log_probs", "ids": ids}
    results = run_scripts([(case.page_data(model), [job]) for case, model in zip(cases, drawn, strict=True)])
    for case, model, [found] in zip(cases, drawn, results, strict=True):
        stepper = CharStepper(as_on_the_page(model, case.model, case.weights), may_compile=False)
        expected = [stepper.step(np.array([token_id]))[0] for token_id in ids]
        assert np.abs(np.array(found) - np.array(expected)).max() < 1e-5


def test_contexts_of_a_vocabulary_of_more_than_65536_characters_have_their_rows() -> None:
    vocab = Vocab(chr(0x20000 + number) for number in range(66_000))
    case = Case(
        model=ModelConfig(embedding_size=1, hidden_size=2, ngram_order=4, ngram_contexts=3), sampling=SHORT, vocab=vocab
    )
    known, unknown = 40_000, 65_900  # the first one's codes are negative
    codes = sorted([code_of(known, 5), code_of(known, 5, known), code_of(5, unknown)])
    assert codes[0] < 0
    model = case.random_model()
    assert model.ngram_input is not None
    model.ngram_input.contexts.copy_(torch.tensor(codes))
    ids = [BOS, known, 5, known, 5, unknown]
    assert model.ngram_input.rows_of(torch.tensor([ids]))[:, 0].count_nonzero() == 4
    [[found]] = run_scripts([(case.page_data(model), [{"kind": "log_probs", "ids": ids}])])
    with torch.no_grad():
        expected = as_on_the_page(model, case.model, "float16")(torch.tensor([ids]))[0][0].log_softmax(dim=-1)
    assert np.abs(np.array(found) - expected.numpy()).max() < 1e-5


def test_the_uniform_numbers_are_those_of_numpy_bit_for_bit() -> None:
    seeds = [*range(200), 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64, 2**128 + 1, 2**160, 10**60]
    jobs = [{"kind": "uniforms", "seed": str(seed), "count": 20} for seed in seeds]
    assert run_scripts([("null", jobs)]) == [[uniforms_of(seed, 20).tolist() for seed in seeds]]


def test_what_the_page_says_of_a_draw_is_the_place_where_the_uniform_number_fell() -> None:
    case = CASES["all filters"]
    job = {"kind": "tweet", "prompt_ids": [], "seed": "3"}
    [[tweet]] = run_scripts([(case.page_data(case.random_model()), [job])])
    for char in tweet["chars"]:
        [chosen] = [each for each in char["candidates"] if each["id"] == char["id"]]
        assert chosen["start"] - 1e-9 <= char["uniform"] <= chosen["start"] + chosen["drawn"] + 1e-9
        assert char["bits"] == pytest.approx(-np.log2(chosen["own"]))
        assert not {each["id"] for each in char["candidates"]} & set(NEVER_SAMPLED)
        own = [each["own"] for each in char["candidates"]]
        assert own == sorted(own, reverse=True)


# The file -------------------------------------------------------------------------------------------------------------

FILE_VOCAB = Vocab("abc <>/!-&\u202e\u200b🌻")
FILE_CONFIG = ModelConfig(embedding_size=4, hidden_size=8, ngram_order=2, ngram_contexts=2)
BLOCK = re.compile(r"<(style|script)([^>]*)>(.*?)</\1", re.DOTALL | re.IGNORECASE)
"""Tag, attributes and content of a style sheet or a script."""
ATTACK = "</script><script>alert(1)</script><!--<script>"
COPIES = Copies(temperature=0.7, num_copies=3, num_near_copies=12)
NO_COPIES = Copies(temperature=0.7, num_copies=0, num_near_copies=0)
FIGURES = Figures(bits_per_char=2.1849, copies=COPIES)
FACTS: dict[str, tuple[WeightFormat, Figures | None, dict[str, Any]]] = {
    "not measured": ("float16", None, {"last_eval_step": 0, "bits_per_char": 2.5}),
    "measured": ("int8", FIGURES, {"step": 12_000, "last_eval_step": 12_000, "bits_per_char": 2.5}),
    "no copies": ("int8", Figures(bits_per_char=2.1849, copies=NO_COPIES), {"step": 12_000}),
    "overfit": ("int8", FIGURES, {"step": 12_000, "corpus": CorpusConfig(files=("a.txt",), overfit=3)}),
}
"""Weights, figures, and what the checkpoint has: its own evaluation may be on some of the tweets."""


def saved(**changes: Any) -> Checkpoint:
    return checkpoint_of(random_model(len(FILE_VOCAB), FILE_CONFIG), FILE_CONFIG, FILE_VOCAB.chars, **changes)


def test_a_hostile_run_vocabulary_and_prompt_stay_inside_of_the_data_and_hidden_characters_are_replaced() -> None:
    sampling = SamplingConfig(prime="<!-- </script>")
    text = web_page(saved(run=ATTACK, sampling=sampling), "float16", None)
    blocks = BLOCK.findall(text)
    kinds = [(tag, attributes) for tag, attributes, _ in blocks]
    assert kinds == [("style", ""), ("script", ' type="application/json" id="data"'), ("script", "")]
    assert "<" not in blocks[1][2]
    data = json.loads(blocks[1][2])
    assert (data["name"], data["sampling"]["prime"]) == (ATTACK, sampling.prime)
    assert data["vocab"] == [*"abc <>/!-&", "\ufffd", "\ufffd", "🌻"]
    assert text.count(ATTACK) == 0


def test_the_policy_allows_the_page_its_own_script_and_style_sheet_and_nothing_else() -> None:
    text = web_page(saved(), "float16", FIGURES)
    style, _, script = (
        base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for _, _, content in BLOCK.findall(text)
    )
    [policy] = re.findall(r'http-equiv="Content-Security-Policy"\s+content="([^"]*)"', text)
    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{script}'",
        f"style-src 'sha256-{style}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not re.findall(r"<[^>]*\s(?:on\w+|style|src|href)=", BLOCK.sub("", text))


@pytest.mark.parametrize("name", FACTS)
def test_the_page_says_what_the_model_is_and_how_much_it_copies(name: str, snapshot: SnapshotAssertion) -> None:
    weights, figures, changes = FACTS[name]
    data = json.loads(page_data(saved(**changes), weights, figures))
    facts = "".join(f"{fact}: {value}\n" for fact, value in data["facts"])
    assert f"{facts}\n{data['copies']}" == snapshot


def test_the_slider_has_greedy_the_checkpoints_own_temperature_and_the_whole_range() -> None:
    for own in (0.0, 0.8, 0.73, MAX_TEMPERATURE):
        data = page_data(saved(sampling=SamplingConfig(temperature=own)), "float16", None)
        stops = json.loads(data)["temperatures"]
        assert stops == sorted(set(stops))
        assert {0.0, 0.05, own, 1.0, MAX_TEMPERATURE} <= set(stops)


def test_rounding_changes_a_weight_by_less_than_half_a_level_and_one_too_large_for_float16_is_an_error() -> None:
    levels: dict[WeightFormat, float] = {"float16": 2**-11, "int8": 0.5 / 127}
    model = random_model(len(FILE_VOCAB), FILE_CONFIG)
    model.embed.weight.data[:2] = torch.tensor([[0.0], [1e-44]])  # a row of zeros stays zero
    for weights, largest_error in levels.items():
        rounded = as_on_the_page(model, FILE_CONFIG, weights).state_dict()
        assert not rounded["embed.weight"][:2].any()
        for name, tensor in model.state_dict().items():
            error = (rounded[name] - tensor).abs()
            limit = tensor.abs().amax(dim=-1, keepdim=True) * largest_error * 1.01 + 1e-44
            assert (error <= limit).all() if tensor.ndim == 2 else (error == 0).all(), name
    model.proj.weight.data[0, 0] = 70_000.0
    with pytest.raises(ConfigError, match=r"proj\.weight has weights that are too large for float16") as caught:
        page_tensors(model, "float16")
    assert "--weights int8" in caught.value.hint
    assert np.isclose(decoded(page_tensors(model, "int8")["proj.weight"])[0, 0], 70_000)


def test_a_page_that_no_browser_can_open_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.export.web_page.MAX_PAGE_BYTES", 1000)
    with pytest.raises(ConfigError, match="more than a browser can open"):
        web_page(saved(), "float16", None)


# In a browser ---------------------------------------------------------------------------------------------------------

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
VOCAB = Vocab("etaoinshr dl<>/&\"'🌻👩\u200dابت漢")
CONFIG = ModelConfig(embedding_size=8, hidden_size=18, num_layers=2)
SAMPLING = SamplingConfig(temperature=0.8, max_length=40, min_p=0.02)
TWEET = "#tweet[aria-busy=false]"
TEMPERATURE = 1.5
FINGER_PIXELS = 44
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


@pytest.mark.ci
def test_it_writes_the_tweets_of_the_program_and_explains_a_character(page: Page) -> None:
    enter(page, "seed", "4")
    wrote(page, program_tweet(4))
    page.click("#another")
    wrote(page, program_tweet(5))
    enter(page, "prompt", "he 🌻")
    wrote(page, program_tweet(5, replace(SAMPLING, prime="he 🌻")))
    slider = page.locator("#temperature")
    while float(slider.get_attribute("aria-valuetext") or "") < TEMPERATURE:
        slider.press("ArrowRight")
    tweet = program_tweet(5, replace(SAMPLING, prime="he 🌻", temperature=TEMPERATURE))
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
    bottom = "document.querySelector('#temperature').getBoundingClientRect().bottom + scrollY"
    assert page.evaluate(f"{bottom} <= innerHeight"), "below the first screen"
    heights = "[...document.querySelectorAll('button, input')].map((each) => each.getBoundingClientRect().height)"
    assert min(page.evaluate(heights)) >= FINGER_PIXELS
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        channels = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
        assert (max(channels) < 128) == (scheme == "dark")


@pytest.mark.ci
def test_text_from_outside_is_shown_as_text_and_a_beginning_or_a_seed_that_cannot_be_used_is_named(page: Page) -> None:
    assert page.title() == f"{page.text_content('h1')}: {HOSTILE}"
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


@pytest.mark.ci
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
