"""`Stream`: tweets end to end, so that what comes before a character is found by looking back, without any border."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.encoded import EncodedTweets
from engine.vocab import BOS, EOS

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

    @property
    def targets(self) -> Numbers:
        """What comes at each position, (targets,)."""
        return self.token_ids[self.positions]


def streams(tweets: EncodedTweets, num_targets: int, num_bos: int) -> Iterator[Stream]:
    """Return all tweets in order, laid out about `num_targets` characters at once, one whole tweet at least."""
    ends = tweets.offsets + np.arange(len(tweets.offsets))  # targets before each tweet
    first = 0
    while first < len(tweets):
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + num_targets, side="right")) - 1)
        yield Stream.of(tweets, first, last, num_bos)
        first = last
