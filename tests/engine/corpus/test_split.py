"""The split is deterministic, of the right size, and separates no group of similar tweets."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.corpus import CorpusConfig
from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.ingest.cleaning import duplicate_key
from engine.corpus.ingest.collection import key_digests
from engine.corpus.loading import load_corpus
from engine.corpus.split import num_validation_tweets, validation_mask
from tests.engine.helpers import small_tweets, write_corpus

KEYS = st.lists(st.text("abcdefgh 0123", min_size=1, max_size=12), min_size=1, max_size=300, unique=True)
SONG = "and the rain came down on the little town"
"""Longer than a shared run."""


def mask_of(keys: list[str], groups: list[int] | None = None) -> list[bool]:
    labels = np.arange(len(keys)) if groups is None else np.array(groups, dtype=np.int64)
    flat_keys = FlatTweets.from_texts(keys)
    return list(map(bool, validation_mask(flat_keys, labels, key_digests(flat_keys))))


def held_out(keys: list[str], groups: list[int] | None = None) -> set[str]:
    """Return the keys that are held out."""
    return {key for key, is_held_out in zip(keys, mask_of(keys, groups), strict=True) if is_held_out}


def in_hash_order(keys: list[str]) -> list[str]:
    return sorted(keys, key=lambda key: hashlib.blake2b(key.encode(), digest_size=8).digest())


def plain(count: int) -> list[str]:
    """Return keys that have nothing in common."""
    return [f"{number:05}" for number in range(count)]


def test_five_percent_are_held_out_at_least_200_at_most_a_fifth() -> None:
    expected = {20: 4, 100: 20, 999: 199, 1000: 200, 2000: 200, 4000: 200, 5000: 250, 20_000: 1000}
    assert {num_tweets: num_validation_tweets(num_tweets) for num_tweets in expected} == expected


@given(keys=KEYS)
def test_of_dissimilar_tweets_the_lowest_hashes_are_held_out(keys: list[str]) -> None:
    assert held_out(keys) == set(in_hash_order(keys)[: num_validation_tweets(len(keys))])


@given(keys=st.lists(st.text("ab", min_size=1, max_size=40), min_size=30, max_size=300), chance=st.randoms())
def test_no_group_is_split_and_at_most_the_intended_number_is_held_out(keys: list[str], chance: random.Random) -> None:
    groups = [number - number % chance.choice((1, 1, 2, 5)) for number in range(len(keys))]
    mask = mask_of(keys, groups)
    assert sum(mask) <= num_validation_tweets(len(keys))
    for group in set(groups):
        assert len({is_out for is_out, label in zip(mask, groups, strict=True) if label == group}) == 1


@pytest.mark.parametrize("size", [2, 10])
def test_tweets_that_share_a_long_run_are_never_split(size: int) -> None:
    keys = plain(20_000)
    for verse in range(400):
        for line in range(size):
            keys[verse * size + line] = f"{line} {verse:08} {hashlib.sha256(b'%d' % verse).hexdigest()[:24]}"
    chosen = held_out(keys)
    assert len(chosen) == num_validation_tweets(len(keys))
    verses = [sum(key in chosen for key in keys[verse * size : (verse + 1) * size]) for verse in range(400)]
    assert set(verses) == {0, size}


@pytest.mark.parametrize(("size", "may_be_held_out"), [(2, True), (3, False)])
def test_a_component_over_a_hundredth_of_the_validation_size_stays_in_training(
    size: int, may_be_held_out: bool
) -> None:
    outcomes = set()
    for song in range(20):
        keys = plain(1_000)  # 200 are wanted
        keys[:size] = [f"{SONG} {song} {verse}" for verse in range(size)]
        outcomes.add(tuple(mask_of(keys)[:size]))
    expected = {(False,) * size, (True,) * size} if may_be_held_out else {(False,) * size}
    assert outcomes == expected


def test_of_a_single_component_whole_groups_are_held_out_in_the_order_of_their_hashes() -> None:
    keys = [f"{SONG} {number}" for number in range(1000)]
    assert held_out(keys) == set(in_hash_order(keys)[:200])
    pairs = [number - number % 2 for number in range(1000)]
    chosen = held_out(keys, pairs)
    assert len(chosen) == 200
    assert all((keys[number] in chosen) == (keys[number + 1] in chosen) for number in range(0, 1000, 2))


def test_large_groups_are_held_out_only_without_small_ones_and_if_they_fit() -> None:
    assert sum(mask_of(plain(1000), [number - number % 50 for number in range(1000)])) == 200
    assert sum(mask_of(plain(100), [number - number % 50 for number in range(100)])) == 0


def test_no_tweet_is_in_both_splits_even_in_another_spelling(tmp_path: Path) -> None:
    tweets = small_tweets(60)
    variants = [f"@bob {tweet.upper()} ... http://a.example/{number}" for number, tweet in enumerate(tweets)]
    corpus = load_corpus(CorpusConfig(files=(str(write_corpus(tmp_path, [*tweets, *variants])),)))
    train, validation = set(map(duplicate_key, corpus.train)), set(map(duplicate_key, corpus.validation))
    assert not train & validation
    assert len(train) + len(validation) == len(corpus.train) + len(corpus.validation) == 60
