"""Whether a tweet is new: copies and long copied runs are found, everything else is new."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.novelty import STRIDE, WINDOW, NoveltyIndex
from tests.strategies import hostile_text, tweet_lists

CORPUS = (
    "this is the day when everything goes just right for once",
    "i made pancakes for the whole street and nobody said no",
    "short one",
)


def letters(seed: int, count: int) -> str:
    """Return random letters: no two texts of this kind share a run."""
    return "".join(random.Random(seed).choices(string.ascii_lowercase, k=count))  # noqa: S311 - a text, no secret


@given(tweets=tweet_lists())
def test_every_tweet_of_the_corpus_is_a_copy(tweets: list[str]) -> None:
    index = NoveltyIndex(tweets)
    assert {index.judge(tweet) for tweet in tweets} == {"copy"}


@pytest.mark.parametrize(
    "tweet",
    [CORPUS[0], CORPUS[0].upper(), f"@mia {CORPUS[0]}!!!", f"{CORPUS[0]} http://a.example/b", "Short one :)"],
)
def test_names_links_case_and_punctuation_make_no_copy_new(tweet: str) -> None:
    assert NoveltyIndex(CORPUS).judge(tweet) == "copy"


@pytest.mark.parametrize("tweet", ["a walk in the rain", "short", "short one and more", "", ":)", "one short"])
def test_what_shares_no_long_run_is_new(tweet: str) -> None:
    index = NoveltyIndex(CORPUS)
    assert index.judge(tweet) == "new"
    assert index.copied_share(tweet) == 0


def test_a_tweet_that_is_half_copied_is_a_near_copy() -> None:
    index = NoveltyIndex(CORPUS)
    assert index.judge(CORPUS[0][:40] + " " + letters(1, 10)) == "near-copy"
    assert index.judge(CORPUS[0][:32] + " " + letters(2, 100)) == "new"


def test_parts_of_two_tweets_glued_together_are_a_near_copy() -> None:
    assert NoveltyIndex(CORPUS).judge(CORPUS[0][:36] + CORPUS[1][12:50]) == "near-copy"


@given(seed=st.integers(0, 10_000), start=st.integers(0, 100), before=st.integers(0, 20), after=st.integers(0, 20))
def test_a_shared_run_of_31_characters_is_always_found(seed: int, start: int, before: int, after: int) -> None:
    tweet = letters(seed, 131)
    index = NoveltyIndex([letters(seed + 1, 60), tweet, letters(seed + 2, 60)])
    run = tweet[start : start + WINDOW + STRIDE - 1]
    assert len(run) == 31
    shared = index.copied_share(letters(seed + 3, before) + run + letters(seed + 4, after))
    assert shared >= WINDOW / (before + 31 + after)


@given(seed=st.integers(0, 10_000), size=st.integers(1, WINDOW - 1))
def test_a_run_shorter_than_a_window_is_never_called_copied(seed: int, size: int) -> None:
    tweet = letters(seed, 120)
    assert NoveltyIndex([tweet]).copied_share("0123456789" * 4 + tweet[:size] + "0123456789" * 4) == 0


@given(tweets=tweet_lists(max_size=20), text=hostile_text())
def test_the_share_is_a_share_whatever_the_text(tweets: list[str], text: str) -> None:
    assert 0 <= NoveltyIndex(tweets).copied_share(text) <= 1


def test_a_run_over_the_border_between_two_tweets_was_never_written() -> None:
    one, two = letters(1, 40), letters(2, 40)
    assert NoveltyIndex([one, two]).judge(one[-12:] + two[:12]) == "new"


def test_without_tweets_everything_is_new() -> None:
    assert NoveltyIndex([]).judge("anything at all that is long enough for a window") == "new"
