"""Copies and long copied runs are detected; every other tweet is new."""

from __future__ import annotations

import random
import string
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.ingest.cleaning import duplicate_key
from engine.corpus.similarity.novelty import STRIDE, WINDOW, NoveltyIndex
from tests.strategies import tweet_lists

CORPUS = (
    "this is the day when everything goes just right for once",
    "i made pancakes for the whole street and nobody said no",
    "short one",
)


def index_of(tweets: Iterable[str]) -> NoveltyIndex:
    return NoveltyIndex.from_keys(FlatTweets.from_texts(map(duplicate_key, tweets)))


def letters(seed: int, count: int) -> str:
    """Return random letters, of which no two texts share a run."""
    return "".join(random.Random(seed).choices(string.ascii_lowercase, k=count))  # noqa: S311 - a text, no secret


@given(tweets=tweet_lists())
def test_every_tweet_of_the_corpus_is_a_copy(tweets: list[str]) -> None:
    index = index_of(tweets)
    assert {index.classify(tweet) for tweet in tweets} == {"copy"}


@pytest.mark.parametrize("tweet", ["a walk in the rain", "short", "short one and more", "", ":)", "one short"])
def test_a_tweet_without_a_shared_run_is_new(tweet: str) -> None:
    index = index_of(CORPUS)
    assert index.classify(tweet) == "new"
    assert index.copied_share(tweet) == 0


def test_a_tweet_that_is_half_copied_is_a_near_copy() -> None:
    index = index_of(CORPUS)
    assert index.classify(CORPUS[0][:40] + " " + letters(1, 10)) == "near-copy"
    assert index.classify(CORPUS[0][:32] + " " + letters(2, 100)) == "new"
    assert index.classify(CORPUS[0][:36] + CORPUS[1][12:50]) == "near-copy"  # of two tweets


@given(seed=st.integers(0, 10_000), start=st.integers(0, 100), before=st.integers(0, 20), after=st.integers(0, 20))
def test_a_shared_run_of_31_characters_is_always_found(seed: int, start: int, before: int, after: int) -> None:
    tweet = letters(seed, 131)
    index = index_of([letters(seed + 1, 60), tweet, letters(seed + 2, 60)])
    run = tweet[start : start + WINDOW + STRIDE - 1]
    assert len(run) == 31
    shared = index.copied_share(letters(seed + 3, before) + run + letters(seed + 4, after))
    assert shared >= WINDOW / (before + 31 + after)


@given(seed=st.integers(0, 10_000), size=st.integers(1, WINDOW - 1))
def test_a_run_shorter_than_a_window_is_never_called_copied(seed: int, size: int) -> None:
    tweet = letters(seed, 120)
    assert index_of([tweet]).copied_share("0123456789" * 4 + tweet[:size] + "0123456789" * 4) == 0


def test_a_run_across_two_tweets_is_not_a_copy() -> None:
    one, two = letters(1, 40), letters(2, 40)
    assert index_of([one, two]).classify(one[-12:] + two[:12]) == "new"


def test_a_long_run_is_found_in_characters_whatever_their_bytes() -> None:
    tweet = "今日はとても良い天気ですから公園まで散歩に行きましょうねと母が言いました"
    index = index_of([tweet, "x"])
    assert index.classify(tweet[2:]) == "near-copy"
    assert index.copied_share(tweet[:23]) == 0
