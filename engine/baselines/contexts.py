"""Tweets end to end (`Stream`), and the last 0 to n characters before each target as small whole numbers (`Contexts`).

What comes before a character is found by looking back in the stream, without any border. A context of length n is the
pair of its n - 1 last characters, which already have a number, and the one before them. Pairs are numbered in sorted
order, so that no vocabulary is too large and a number is found by binary search; nothing is hashed. Only contexts of
the tweets to be predicted are numbered: what else the training tweets hold is never asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.encoded_tweets import EncodedTweets
from engine.model.vocab import BOS, EOS

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stream:
    """Tweets of which each has some `BOS` before it and its `EOS` after it."""

    token_ids: Numbers  # (all of them, padding included,)
    positions: Numbers  # (targets,)
    """Where the targets are: every character and every `EOS`."""

    @classmethod
    def of(cls, tweets: EncodedTweets, first: int, last: int, num_bos: int) -> Stream:
        """Lay out the tweets from `first` to before `last`, each behind `num_bos` times `BOS`."""
        offsets = tweets.offsets[first : last + 1]
        shifts = num_bos + (num_bos + 1) * np.arange(last - first) - offsets[0]  # of the characters of each tweet
        at = np.arange(offsets[0], offsets[-1]) + np.repeat(shifts, np.diff(offsets))
        token_ids = np.full(len(at) + (num_bos + 1) * len(shifts), BOS, dtype=np.int64)
        is_target = np.zeros(len(token_ids), dtype=np.bool_)
        token_ids[at] = tweets.token_ids[offsets[0] : offsets[-1]]
        token_ids[offsets[1:] + shifts] = EOS
        is_target[at] = is_target[offsets[1:] + shifts] = True
        return cls(token_ids, np.flatnonzero(is_target))


def streams(tweets: EncodedTweets, num_targets: int, num_bos: int) -> Iterator[Stream]:
    """Return all tweets in order, laid out about `num_targets` characters at once, one whole tweet at least."""
    ends = tweets.offsets + np.arange(len(tweets.offsets))  # targets before each tweet
    first = 0
    while first < len(tweets):
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + num_targets, side="right")) - 1)
        yield Stream.of(tweets, first, last, num_bos)
        first = last


class Contexts:
    """Every context of 0 to `longest` characters in one stream."""

    def __init__(self, stream: Stream, longest: int, vocab_size: int) -> None:
        """Number them; before each tweet, `stream` has `longest` times `BOS`."""
        self._vocab_size = vocab_size
        self._pairs: list[Numbers] = []
        numbers = np.zeros(len(stream.positions), dtype=np.int64)
        for length in range(1, longest + 1):
            pairs = numbers * vocab_size + stream.token_ids[stream.positions - length]
            distinct, numbers = np.unique(pairs, return_inverse=True)
            self._pairs.append(distinct)

    @property
    def how_many(self) -> list[int]:
        """The number of contexts of each length, from that of length 0 on."""
        return [1, *map(len, self._pairs)]

    def walk(self, stream: Stream) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield for each length, from 0 on, the targets of `stream` behind a known context, and its number for each.

        Both (known,); the targets are token ids, in order.
        """
        positions, numbers = stream.positions, np.zeros(len(stream.positions), dtype=np.int64)
        yield stream.token_ids[positions], numbers
        for length, distinct in enumerate(self._pairs, start=1):
            pairs = numbers * self._vocab_size + stream.token_ids[positions - length]
            found = np.minimum(np.searchsorted(distinct, pairs), len(distinct) - 1)
            is_known = distinct[found] == pairs
            positions, numbers = positions[is_known], found[is_known]
            yield stream.token_ids[positions], numbers
