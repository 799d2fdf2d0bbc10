"""`TokenStream`, concatenated tweets, and `Contexts`, the last 0 to n characters before each target as dense indices.

A context of length n is the pair of the index of its last n - 1 characters and the character before them. Pairs are
numbered in sorted order and looked up by binary search, so no vocabulary is too large, and nothing is hashed. Only the
contexts of the tweets to predict get an index, as no others are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.encoded_tweets import EncodedTweets
from engine.model.vocab import BOS, EOS

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


class Contexts:
    """All contexts of 0 to `longest` characters in one stream."""

    def __init__(self, stream: TokenStream, longest: int, vocab_size: int) -> None:
        """Index the contexts of `stream`, whose tweets each follow `longest` times `BOS`."""
        self._vocab_size = vocab_size
        self._pairs: list[IntArray] = []
        indices = np.zeros(len(stream.positions), dtype=np.int64)
        for length in range(1, longest + 1):
            pairs = indices * vocab_size + stream.token_ids[stream.positions - length]
            distinct, indices = np.unique(pairs, return_inverse=True)
            self._pairs.append(distinct)

    @property
    def num_contexts(self) -> list[int]:
        """Number of contexts of each length, from 0 on."""
        return [1, *map(len, self._pairs)]

    def lookup(self, stream: TokenStream) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield, for each length from 0 on, the targets of `stream` with a known context and the contexts' indices.

        Both (known,); the targets are token ids, in order.
        """
        positions, indices = stream.positions, np.zeros(len(stream.positions), dtype=np.int64)
        yield stream.token_ids[positions], indices
        for length, distinct in enumerate(self._pairs, start=1):
            pairs = indices * self._vocab_size + stream.token_ids[positions - length]
            found = np.minimum(np.searchsorted(distinct, pairs), len(distinct) - 1)
            is_known = distinct[found] == pairs
            positions, indices = positions[is_known], found[is_known]
            yield stream.token_ids[positions], indices
