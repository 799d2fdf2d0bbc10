"""Copies and long copied runs are detected, every other tweet is new; the leakage is that of a search for all runs."""

from __future__ import annotations

import random
import string
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.ingest.cleaning import duplicate_key
from engine.corpus.similarity.leakage import LEAK_RUN, comparison_text, leak_share
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


def test_a_tweet_without_a_shared_run_is_new() -> None:
    index = index_of(CORPUS)
    for tweet in ("a walk in the rain", "short", "short one and more", "", ":)", "one short"):
        assert index.classify(tweet) == "new"
        assert index.copied_share(tweet) == 0


def test_a_tweet_that_is_half_copied_is_a_near_copy() -> None:
    index = index_of(CORPUS)
    assert index.classify(CORPUS[0][:40] + " " + letters(1, 10)) == "near-copy"
    assert index.classify(CORPUS[0][:32] + " " + letters(2, 100)) == "new"
    assert index.classify(CORPUS[0][:36] + CORPUS[1][12:50]) == "near-copy"  # of two tweets
    one, two = letters(1, 40), letters(2, 40)
    assert index_of([one, two]).classify(one[-12:] + two[:12]) == "new", "a run across two tweets is no copy"


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


def test_a_long_run_is_found_in_characters_whatever_their_bytes() -> None:
    tweet = "今日はとても良い天気ですから公園まで散歩に行きましょうねと母が言いました"
    index = index_of([tweet, "x"])
    assert index.classify(tweet[2:]) == "near-copy"
    assert index.copied_share(tweet[:23]) == 0


# Leakage --------------------------------------------------------------------------------------------------------------

RUN = "we waited for the bus, and then"[:LEAK_RUN]
LEAKING = st.lists(st.text("ab! é", min_size=25, max_size=50), max_size=8)


def leak(train: list[str], validation: list[str]) -> float:
    return leak_share(FlatTweets.from_texts(train), FlatTweets.from_texts(validation))


def brute_force(train: list[str], validation: list[str]) -> float:
    """Return the leakage by brute force."""
    known = [comparison_text(tweet) for tweet in train]
    asked = [comparison_text(tweet) for tweet in validation]
    leaked = [
        any(tweet[start : start + LEAK_RUN] in other for other in known for start in range(len(tweet) - LEAK_RUN + 1))
        for tweet in asked
    ]
    return sum(leaked) / len(leaked) if leaked else 0.0


@given(train=LEAKING, validation=LEAKING, chance=st.randoms())
def test_the_figure_is_that_of_a_search_for_every_run(
    train: list[str], validation: list[str], chance: random.Random
) -> None:
    for tweet in train[:4]:
        start = chance.randint(0, 15)
        validation.append("x" * chance.randint(0, 5) + tweet[start : start + LEAK_RUN + 2])
    assert leak(train, validation) == brute_force(train, validation)


def test_only_case_mentions_links_and_the_width_of_blanks_do_not_count() -> None:
    assert len(RUN) == LEAK_RUN
    for tweet, expected in (
        (f"so {RUN.upper()} it came", 1),
        (RUN.replace(" for", " @tom  for\t"), 1),
        (RUN.replace(" and", " http://a.example/b and"), 1),
        (RUN.replace(",", ""), 0),
        (RUN[1:], 0),
    ):
        assert leak(["something else", f"well, {RUN}!"], [tweet]) == expected


def test_the_chunks_of_a_large_corpus_are_compared_and_no_run_goes_over_a_border_between_tweets() -> None:
    assert leak([RUN[:15], RUN[15:]], [RUN]) == 0
    assert leak([RUN], [RUN[:15], RUN[15:]]) == 0
    chance = random.Random(1)  # noqa: S311 - a text, no secret
    filler = ["".join(chance.choices("abcdefgh ", k=3_000)) for _ in range(120)]
    assert leak([*filler, RUN], [*filler[:2], RUN, "another one"]) == 0.75
    assert leak([RUN], [*filler, RUN]) == pytest.approx(1 / 121)
