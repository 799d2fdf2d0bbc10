"""Rows are cleaned or dropped by the rules, changed by the options, and compared by a normalized key."""

from __future__ import annotations

import html
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.corpus.ingest.cleaning import Cleaner, duplicate_key
from engine.corpus.ingest.mojibake import repair
from engine.corpus.types import DroppedRow, Row
from engine.text import EXAMPLE_CHARS, escape, unescape
from tests.engine.corpus.reading import Case, listed, recorded_cases, unescaped
from tests.strategies import hostile_text, tweets

MAX = 140
CONFIGS = st.builds(
    CorpusConfig,
    max_length=st.integers(1, MAX),
    no_retweets=st.booleans(),
    strip_links=st.booleans(),
    lowercase=st.booleans(),
    strip_mentions=st.booleans(),
    mask_mentions=st.booleans(),
    ascii=st.booleans(),
)


def cleaned(row: Row, config: CorpusConfig | None = None) -> Row:
    """Return the tweet of a row, or the dropped row."""
    return Cleaner(config or CorpusConfig())(row)


def reason_for(row: str, config: CorpusConfig | None = None) -> str:
    """Return why a row is dropped; assert that its example is short."""
    dropped = cleaned(row, config)
    assert isinstance(dropped, DroppedRow)
    assert len(dropped.example) <= EXAMPLE_CHARS
    return dropped.reason


# Rules ----------------------------------------------------------------------------------------------------------------


@recorded_cases("rows")
def test_rows_are_cleaned_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    rows = list(map(unescaped, str(case.files["rows"]).splitlines()))
    lines = []
    for options in case.options:
        lines += [f"({listed(options)})"] if len(case.options) > 1 else []
        lines += [f"{row!r} -> {as_text(cleaned(row, CorpusConfig(**options)))}" for row in rows]
    assert "\n".join(lines) == snapshot


def as_text(row: Row) -> str:
    return repr(row) if isinstance(row, str) else f"dropped, {row.reason}"


def test_a_row_of_max_length_is_kept_and_a_longer_one_dropped() -> None:
    assert cleaned("x" * MAX) == "x" * MAX
    assert reason_for("x" * (MAX + 1)) == "over 140 characters"
    assert cleaned("x" * 100_000, CorpusConfig(max_length=100_000)) == "x" * 100_000


def test_the_length_is_that_of_the_cleaned_text() -> None:
    assert cleaned("&amp;" * MAX) == "&" * MAX  # 700 characters before unescaping
    assert cleaned("e\u0301" * MAX) == "é" * MAX  # 280 before NFC
    assert cleaned("Ã©" * MAX) == "é" * MAX  # 280 before the repair
    assert cleaned(f"  {'x' * MAX}  ") == "x" * MAX
    assert reason_for("x" * 138 + "&lt;3!") == "over 140 characters"
    assert cleaned("@mia " * MAX + "hello", CorpusConfig(strip_mentions=True)) == "hello"


@given(row=hostile_text(), config=CONFIGS)
def test_a_cleaned_row_is_printable_within_max_length_and_stable(row: str, config: CorpusConfig) -> None:
    tweet = cleaned(row, config)
    if isinstance(tweet, DroppedRow):
        rules = {"empty", "only a link", "retweet", f"over {config.max_length} characters"}
        assert tweet.reason in rules | {"with characters that were lost (U+FFFD)"}
        assert len(tweet.example) <= EXAMPLE_CHARS
    else:
        assert 1 <= len(tweet) <= config.max_length
        assert tweet.replace("\u200c", "").replace("\u200d", "").isprintable()
        assert unicodedata.is_normalized("NFC", tweet)
        if html.unescape(tweet) == tweet == repair(tweet):
            assert cleaned(tweet, config) == tweet


@given(
    pieces=st.lists(
        st.sampled_from(
            ["http://a.b", "www.", "pic.twitter.com/x", "RT @mia", "@mia", "ｈttp://x", "今日", "😀", "ﬁ", "É"]
        )
        | st.sampled_from(["❤\ufe0f", "\ufe0f", "1", "#", "\u20e3", "\u200d", "\u0301", "\x07", "\n", " ", "a", "."])
    ),
    config=CONFIGS,
)
def test_a_tweet_is_stable_whatever_its_links_names_and_selectors(pieces: list[str], config: CorpusConfig) -> None:
    config = replace(config, no_retweets=False)  # without its first link, a tweet may begin like a retweet
    tweet = cleaned("".join(pieces), config)
    assert isinstance(tweet, DroppedRow) or cleaned(tweet, config) == tweet


@given(text=st.lists(st.sampled_from(["&", "amp;", "lt;", "#39;", "#", "9" * 5000, "a", " "])).map("".join))
def test_unescaping_reverses_escaping(text: str) -> None:
    assert unescape(escape(text)) == text


# Duplicates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        "good morning, everyone!!!",
        "good morning @Tom @mia_k everyone",
        "Good morning everyone http://a.example/b?c=d",
        "«good» morning❤\ufe0f everyone…",
    ],
)
def test_case_names_links_punctuation_and_emoji_make_no_new_tweet(other: str) -> None:
    assert duplicate_key(other) == duplicate_key("good morning everyone")


@pytest.mark.parametrize(("one", "other"), [("कि", "की"), ("राम", "रोम"), ("กี่", "กู่"), ("שָׁלוֹם", "שִׁלוֹם")])
def test_a_vowel_sign_is_no_punctuation(one: str, other: str) -> None:
    assert duplicate_key(one) != duplicate_key(other)
    assert duplicate_key(f"{one}!") == duplicate_key(one)


@pytest.mark.parametrize(("one", "other"), [(":)", ":("), ("@mia", "@tom"), ("😀", "😎"), ("@mia !", "@mia ?")])
def test_a_tweet_without_words_is_compared_as_it_is(one: str, other: str) -> None:
    assert duplicate_key(one) != duplicate_key(other)
    assert duplicate_key(one) == duplicate_key(one.upper())


@given(
    words=st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5), min_size=1, max_size=5),
    between=st.sampled_from([" ", "! ", "_", "、", " 🎉 ", "❤\ufe0f", " \u0301", "\u200d"]),
    mark=st.sampled_from(["", "\u0301", "\u093e"]),
)
def test_a_key_is_the_words_of_a_tweet_in_every_script(words: list[str], between: str, mark: str) -> None:
    words = [word.casefold() + mark for word in words]
    assert duplicate_key(between.join(words)) == " ".join(words)


@given(tweet=tweets())
def test_no_key_is_empty_and_a_key_is_its_own_key(tweet: str) -> None:
    key = duplicate_key(tweet)
    assert key
    assert duplicate_key(key) == key
