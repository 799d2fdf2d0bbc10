"""The counted contexts are those of a plain loop; limits keep the most frequent ones; samples count in proportion."""

from __future__ import annotations

from collections import Counter
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus import ngram_contexts
from engine.corpus.encoded_tweets import EncodedTweets
from engine.corpus.ngram_contexts import MIN_COUNTS, frequent_contexts
from engine.model.ngram_codes import NUM_IDS
from engine.model.vocab import BOS, PAD, UNK
from tests.engine.helpers import code_of

V, H = 9, 8
TWEETS = st.lists(st.lists(st.integers(BOS + 1, 6), max_size=30), max_size=40)


def encoded_tweets(tweets: list[list[int]]) -> EncodedTweets:
    lengths = [len(tweet) for tweet in tweets]
    flat = np.array([token_id for tweet in tweets for token_id in tweet], dtype=np.int32)
    return EncodedTweets(flat, np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))))


def by_loop(tweets: list[list[int]], order: int) -> list[int]:
    """Return the codes of the frequent contexts, ascending."""
    counts: Counter[tuple[int, ...]] = Counter()
    for tweet in tweets:
        ids = [PAD, PAD, PAD, BOS, *tweet]
        for end in range(4, len(ids) + 1):
            counts.update(tuple(ids[end - length : end]) for length in range(2, order + 1))
    least = {2: 5, 3: 30, 4: 60}
    return sorted(code_of(*ids) for ids, count in counts.items() if count >= least[len(ids)])


@given(tweets=TWEETS, order=st.sampled_from([2, 3, 4]), max_bins=st.sampled_from([1, V**2, 1 << 24]))
def test_the_contexts_are_those_that_occur_5_30_and_60_times(
    tweets: list[list[int]], order: int, max_bins: int
) -> None:
    with mock.patch.object(ngram_contexts, "MAX_BINS", max_bins):
        found = frequent_contexts(encoded_tweets(tweets), V, order, H)
    assert MIN_COUNTS == {2: 5, 3: 30, 4: 60}
    assert found.tolist() == by_loop(tweets, order)
    assert found.dtype == np.int64


def test_an_order_of_0_has_none() -> None:
    assert len(frequent_contexts(encoded_tweets([[4] * 99]), V, 0, H)) == 0


@pytest.mark.parametrize("limit", ["MAX_NGRAM_CONTEXTS", "MAX_NUMBERS"])
def test_of_too_many_the_most_frequent_are_kept(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(ngram_contexts, limit, 3 if limit == "MAX_NGRAM_CONTEXTS" else 3 * H + 1)
    tweets = encoded_tweets([[4, 5] * 20, [6] * 80, [4] * 10])
    assert frequent_contexts(tweets, V, 4, H).tolist() == sorted(code_of(*[6] * length) for length in (2, 3, 4))


def test_ids_beyond_the_limit_of_the_codes_count_as_unknown() -> None:
    tweets = encoded_tweets([[NUM_IDS, NUM_IDS + 1] * 20])
    assert code_of(UNK, UNK) in frequent_contexts(tweets, NUM_IDS + 2, 2, H).tolist()


def test_a_sample_of_a_large_corpus_has_about_the_contexts_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    tweets = [generator.choice([4, 5, 6, 7], 40, p=[0.5, 0.3, 0.19, 0.01]).tolist() for _ in range(1000)]
    whole = frequent_contexts(encoded_tweets(tweets), V, 4, H)
    monkeypatch.setattr(ngram_contexts, "MAX_CHARS", 10_000)
    sampled = frequent_contexts(encoded_tweets(tweets), V, 4, H)
    assert len(np.intersect1d(whole, sampled)) > 0.85 * len(whole)
    assert len(sampled) < 1.2 * len(whole)
