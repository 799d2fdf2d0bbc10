"""The tutorial's rules on rows, and which tweets say the same."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.cleaning import duplicate_key, to_tweet
from engine.corpus.rows import Unusable
from tests.strategies import hostile_text, tweets

MAX = 140


@pytest.mark.parametrize(
    ("row", "tweet"),
    [
        ("hello there", "hello there"),
        ("  hello\tthere \r\n", "hello there"),
        ("you &amp; me &lt;3", "you & me <3"),
        ("cafe\u0301", "café"),
        ("see http://a.example/b now", "see http://a.example/b now"),
        ("@mia", "@mia"),
        ("@mia http://a.example", "@mia http://a.example"),
        (":)", ":)"),
        ("😀", "😀"),
    ],
)
def test_a_row_becomes_its_cleaned_tweet(row: str, tweet: str) -> None:
    assert to_tweet(row, MAX) == tweet


@pytest.mark.parametrize("row", ["", "   ", "\t\r\n", "\u200b\ufeff", "\x00", "&nbsp;"])
def test_a_row_without_anything_to_see_is_empty(row: str) -> None:
    assert to_tweet(row, MAX) == Unusable("empty")


@pytest.mark.parametrize(
    "row",
    [
        "http://a.example/b",
        "https://a.example",
        " www.a.example ",
        "HTTP://A.EXAMPLE",
        "http://a.example www.b.example",
    ],
)
def test_a_row_of_nothing_but_links_is_dropped(row: str) -> None:
    assert to_tweet(row, MAX) == Unusable("only a link")


def test_a_row_of_as_many_characters_as_allowed_stays_and_one_more_goes() -> None:
    assert to_tweet("x" * MAX, MAX) == "x" * MAX
    assert to_tweet("x" * (MAX + 1), MAX) == Unusable("over 140 characters")


def test_the_length_is_that_of_the_cleaned_text() -> None:
    assert to_tweet("&amp;" * MAX, MAX) == "&" * MAX  # 700 characters before unescaping
    assert to_tweet("e\u0301" * MAX, MAX) == "é" * MAX  # 280 before NFC
    assert to_tweet(f"  {'x' * MAX}  ", MAX) == "x" * MAX
    assert to_tweet("x" * 138 + "&lt;3!", MAX) == Unusable("over 140 characters")


def test_what_the_reader_could_not_use_keeps_its_reason() -> None:
    assert to_tweet(Unusable("not JSON"), MAX) == Unusable("not JSON")


@given(row=hostile_text(), max_length=st.integers(1, MAX))
def test_whatever_the_row_a_tweet_is_printable_short_enough_and_more_than_a_link(row: str, max_length: int) -> None:
    tweet = to_tweet(row, max_length)
    if isinstance(tweet, Unusable):
        assert tweet.reason in {"empty", "only a link", f"over {max_length} characters"}
    else:
        assert 1 <= len(tweet) <= max_length
        assert tweet.replace("\u200c", "").replace("\u200d", "").isprintable()
        assert unicodedata.is_normalized("NFC", tweet)


# Duplicates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        "GOOD MORNING everyone",
        "good morning, everyone!!!",
        "@mia_k good morning everyone",
        "good morning @Tom @mia_k everyone",
        "Good morning everyone http://a.example/b?c=d",
        "good   morning -- everyone :)",
        "good_morning everyone",
        '"Good morning" everyone...',
    ],
)
def test_case_names_links_and_punctuation_make_no_new_tweet(other: str) -> None:
    assert duplicate_key(other) == duplicate_key("good morning everyone")


@pytest.mark.parametrize(
    "other", ["good evening everyone", "good morning every one", "good morning everyone 2", "good"]
)
def test_other_words_or_numbers_make_a_new_tweet(other: str) -> None:
    assert duplicate_key(other) != duplicate_key("good morning everyone")


@pytest.mark.parametrize(("one", "other"), [("कि", "की"), ("राम", "रोम"), ("กี่", "กู่"), ("שָׁלוֹם", "שִׁלוֹם")])
def test_a_vowel_sign_is_no_punctuation(one: str, other: str) -> None:
    assert duplicate_key(one) != duplicate_key(other)
    assert duplicate_key(f"{one}!") == duplicate_key(one)


@pytest.mark.parametrize("other", ["love ❤\ufe0f", "love ❤", "LOVE…", "«love»", "@mia love 😀"])
def test_emoji_and_typographic_signs_make_no_new_tweet(other: str) -> None:
    assert duplicate_key(other) == "love"


@pytest.mark.parametrize(("one", "other"), [(":)", ":("), ("@mia", "@tom"), ("😀", "😎"), ("@mia !", "@mia ?")])
def test_a_tweet_without_words_is_compared_as_it_is(one: str, other: str) -> None:
    assert duplicate_key(one) != duplicate_key(other)
    assert duplicate_key(one) == duplicate_key(one.upper())


@given(tweet=tweets())
def test_no_key_is_empty_and_a_key_is_its_own_key(tweet: str) -> None:
    key = duplicate_key(tweet)
    assert key
    assert duplicate_key(key) == key


@given(tweet=tweets(alphabet="abc ABC"), name=st.sampled_from(["@mia", "@Tom_9"]))
def test_a_name_or_a_link_anywhere_changes_no_key(tweet: str, name: str) -> None:
    key = duplicate_key(tweet)
    assert duplicate_key(f"{name} {tweet}") == key
    assert duplicate_key(f"{tweet} {name}") == key
    assert duplicate_key(f"{tweet} http://a.example/x") == key
