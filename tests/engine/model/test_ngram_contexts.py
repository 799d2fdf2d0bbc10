"""The contexts with a row of their own are those that are frequent, of a large corpus those of a sample."""

from __future__ import annotations

from collections import Counter
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model import ngram_contexts
from engine.model.ngram_contexts import MIN_COUNTS, frequent_contexts
from engine.model.vocab import BOS, NUM_IDS, PAD, UNK
from tests.engine.helpers import code_of

V, H = 9, 8
IDS = st.lists(st.lists(st.integers(BOS + 1, 6), max_size=30), max_size=40)


def found_in(tweets: list[list[int]], vocab_size: int = V, order: int = 4) -> npt.NDArray[np.int64]:
    """Return the codes of the frequent contexts."""
    token_ids = np.array([token_id for tweet in tweets for token_id in tweet], dtype=np.int32)
    offsets = np.concatenate(([0], np.cumsum([len(tweet) for tweet in tweets], dtype=np.int64)))
    return frequent_contexts(token_ids, offsets, vocab_size, order, H)


def by_loop(tweets: list[list[int]], order: int) -> list[int]:
    """Return the codes of the frequent contexts, ascending."""
    counts: Counter[tuple[int, ...]] = Counter()
    for tweet in tweets:
        ids = [PAD, PAD, PAD, BOS, *tweet]
        for end in range(4, len(ids) + 1):
            counts.update(tuple(ids[end - length : end]) for length in range(2, order + 1))
    least = {2: 5, 3: 30, 4: 60}
    return sorted(code_of(*ids) for ids, count in counts.items() if count >= least[len(ids)])


@given(tweets=IDS, order=st.sampled_from([2, 3, 4]), max_bins=st.sampled_from([1, V**2, 1 << 24]))
def test_contexts_are_those_that_occur_5_30_and_60_times(tweets: list[list[int]], order: int, max_bins: int) -> None:
    with mock.patch.object(ngram_contexts, "MAX_BINS", max_bins):
        found = found_in(tweets, order=order)
    assert MIN_COUNTS == {2: 5, 3: 30, 4: 60}
    assert found.tolist() == by_loop(tweets, order)
    assert found.dtype == np.int64


@pytest.mark.parametrize("limit", ["MAX_NGRAM_CONTEXTS", "MAX_NUMBERS"])
def test_of_too_many_the_most_frequent_are_kept(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(ngram_contexts, limit, 3 if limit == "MAX_NGRAM_CONTEXTS" else 3 * H + 1)
    tweets = [[4, 5] * 20, [6] * 80, [4] * 10]
    assert found_in(tweets).tolist() == sorted(code_of(*[6] * length) for length in (2, 3, 4))


def test_ids_beyond_the_limit_of_the_codes_count_as_unknown_and_an_order_of_0_has_no_contexts() -> None:
    tweets = [[NUM_IDS, NUM_IDS + 1] * 20]
    assert code_of(UNK, UNK) in found_in(tweets, NUM_IDS + 2, 2).tolist()
    assert len(found_in(tweets, NUM_IDS + 2, 0)) == 0


def test_a_sample_of_a_large_corpus_has_about_the_contexts_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    tweets = [generator.choice([4, 5, 6, 7], 40, p=[0.5, 0.3, 0.19, 0.01]).tolist() for _ in range(1000)]
    whole = found_in(tweets)
    monkeypatch.setattr(ngram_contexts, "MAX_CHARS", 10_000)
    sampled = found_in(tweets)
    assert len(np.intersect1d(whole, sampled)) > 0.85 * len(whole)
    assert len(sampled) < 1.2 * len(whole)
