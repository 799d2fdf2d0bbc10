"""Flat arrays round-trip any texts, chunked, selected or compacted."""

from __future__ import annotations

from collections import Counter
from itertools import compress
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus import flat_tweets as flat
from engine.corpus.flat_tweets import FlatTweets, char_counts

TEXTS = st.lists(st.text(max_size=12), max_size=30)


@pytest.fixture(autouse=True)
def _small_chunks() -> object:
    """Make chunks so small that a few tweets are several."""
    with mock.patch.object(flat, "CHUNK_TWEETS", 4), mock.patch.object(flat, "COPIED_TWEETS", 3):
        yield


@given(texts=TEXTS)
def test_texts_round_trip(texts: list[str]) -> None:
    tweets = FlatTweets.from_texts(texts)
    assert list(tweets) == texts
    assert [tweets[index] for index in range(len(tweets))] == texts
    assert [text for chunk in tweets.chunks() for text in chunk] == texts


@given(texts=TEXTS)
def test_lengths_and_counts_are_those_of_characters_not_of_bytes(texts: list[str]) -> None:
    tweets = FlatTweets.from_texts(texts)
    assert tweets.char_lengths().tolist() == [len(text) for text in texts]
    counts = char_counts(tweets)
    assert counts == Counter("".join(texts))
    assert list(counts.values()) == sorted(counts.values(), reverse=True)


@given(texts=TEXTS.filter(bool), data=st.data())
def test_a_selection_has_the_selected_tweets_in_order(texts: list[str], data: st.DataObject) -> None:
    indices = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=20))
    chosen = FlatTweets.from_texts(texts).select(np.array(indices, dtype=np.int64))
    assert list(chosen) == [texts[index] for index in indices]


@given(texts=TEXTS, data=st.data())
def test_compacting_keeps_the_tweets_of_the_mask_without_a_copy(texts: list[str], data: st.DataObject) -> None:
    is_kept = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))
    tweets = FlatTweets.from_texts(texts)
    kept = tweets.compact(np.array(is_kept, dtype=np.bool_))
    assert list(kept) == list(compress(texts, is_kept))
    assert np.shares_memory(kept.utf8, tweets.utf8) or not kept.utf8.size
