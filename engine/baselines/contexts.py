"""`TokenStream`, concatenated tweets, and `Contexts`, the last 0 to n characters before each target as dense indices.

A context of length n is the pair of the index of its last n - 1 characters and the character before them. Pairs are
numbered in sorted order, and looked up in a table where that is small, else by binary search: so no vocabulary is too
large, and nothing is hashed. Only the contexts of the tweets to predict get an index, as no others are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.encoded_tweets import EncodedTweets
from engine.model.vocab import BOS, EOS
from engine.progress import Pieces

MAX_TABLE_SIZE = 1 << 23
"""Entries, of 4 bytes each."""
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TokenStream:
    """Concatenated tweets, each with some `BOS` before it and an `EOS` after it."""

    token_ids: IntArray  # (tokens,), with `BOS` and `EOS`
    positions: IntArray  # (targets,)
    """Positions of the targets: every character and every `EOS`."""

    @classmethod
    def of(cls, tweets: EncodedTweets, first: int, last: int, num_bos: int) -> TokenStream:
        """Concatenate the tweets `first` to `last` (exclusive), each after `num_bos` times `BOS`."""
        offsets = tweets.offsets[first : last + 1]
        shifts = (
            num_bos + (num_bos + 1) * np.arange(last - first) - offsets[0]
        )  # of each tweet's characters in the stream
        at = np.arange(offsets[0], offsets[-1]) + np.repeat(shifts, np.diff(offsets))
        token_ids = np.full(len(at) + (num_bos + 1) * len(shifts), BOS, dtype=np.int64)
        is_target = np.zeros(len(token_ids), dtype=np.bool_)
        token_ids[at] = tweets.token_ids[offsets[0] : offsets[-1]]
        token_ids[offsets[1:] + shifts] = EOS
        is_target[at] = is_target[offsets[1:] + shifts] = True
        return cls(token_ids, np.flatnonzero(is_target))


def token_streams(tweets: EncodedTweets, num_targets: int, num_bos: int) -> Iterator[TokenStream]:
    """Yield all tweets in order, in streams of about `num_targets` targets, at least one whole tweet each."""
    ends = tweets.offsets + np.arange(len(tweets.offsets))  # targets before each tweet
    first = 0
    while first < len(tweets):
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + num_targets, side="right")) - 1)
        yield TokenStream.of(tweets, first, last, num_bos)
        first = last


class PairLookup:
    """Finds the indices of integers in a sorted array."""

    def __init__(self, distinct: IntArray, limit: int) -> None:
        """`distinct` is sorted; all integers are from 0 to below `limit`."""
        self.distinct = distinct
        self._table: npt.NDArray[np.int32] | None = None
        if limit <= MAX_TABLE_SIZE:
            self._table = np.full(limit, -1, dtype=np.int32)
            self._table[distinct] = np.arange(len(distinct))

    def indices_of(self, values: IntArray) -> IntArray:
        """Return the index of each of `values`, (values,); -1 where there is none."""
        if self._table is not None:
            return self._table[values].astype(np.int64)
        found = np.minimum(np.searchsorted(self.distinct, values), len(self.distinct) - 1)
        return np.where(self.distinct[found] == values, found, -1)


class Contexts:
    """Contexts of 0 to some characters in one stream."""

    def __init__(self, vocab_size: int) -> None:
        """Start with the empty context."""
        self._vocab_size = vocab_size
        self._lookups: list[PairLookup] = []

    @classmethod
    def of(cls, stream: TokenStream, longest: int, vocab_size: int) -> Pieces[Contexts]:
        """Index the contexts of `stream`, whose tweets each follow `longest` times `BOS`."""
        contexts = cls(vocab_size)
        indices = np.zeros(len(stream.positions), dtype=np.int64)
        for length in range(1, longest + 1):
            pairs = indices * vocab_size + stream.token_ids[stream.positions - length]
            distinct, indices = np.unique(pairs, return_inverse=True)
            contexts._lookups.append(PairLookup(distinct, contexts.num_contexts[-1] * vocab_size))
            yield
        return contexts

    @property
    def num_contexts(self) -> list[int]:
        """Number of contexts of each length, from 0 on."""
        return [1, *(len(lookup.distinct) for lookup in self._lookups)]

    def lookup(self, stream: TokenStream) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield, for each length from 0 on, the targets of `stream` with a known context and the contexts' indices.

        Both (known,); the targets are token ids, in order.
        """
        positions, indices = stream.positions, np.zeros(len(stream.positions), dtype=np.int64)
        yield stream.token_ids[positions], indices
        for length, lookup in enumerate(self._lookups, start=1):
            found = lookup.indices_of(indices * self._vocab_size + stream.token_ids[positions - length])
            is_known = found >= 0
            positions, indices = positions[is_known], found[is_known]
            yield stream.token_ids[positions], indices
