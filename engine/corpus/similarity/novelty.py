"""`NoveltyIndex`: whether a generated tweet is new or copied from the training tweets. Never stores a text.

Every eighth window of 24 characters of each training tweet is stored as a 64-bit hash, which takes one byte per
character. A shared run of 31 characters or more contains at least one of these windows, so it is always found. The
hashes are sorted arrays in memory.
"""

from __future__ import annotations

import numpy as np

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.ingest.cleaning import duplicate_key
from engine.corpus.similarity.rolling_hash import CodePoints, Hashes, Indices, RunHasher, chunks_of, mix, whole_hashes
from engine.corpus.similarity.sorted_sets import contains, distinct
from engine.progress import OnProgress, no_progress
from engine.protocol.events import Novelty

WINDOW = 24
STRIDE = 8
NEAR_COPY_SHARE = 0.5


class NoveltyIndex:
    """An index of the training tweets. Names, links, case and punctuation are ignored."""

    def __init__(self, whole: Hashes, windows: Hashes) -> None:
        """`whole` and `windows` are the sorted hashes of whole keys and of windows of keys."""
        self.whole = whole
        self.windows = windows

    @classmethod
    def from_keys(cls, keys: FlatTweets, on_progress: OnProgress = no_progress) -> NoveltyIndex:
        """Index tweets by their `duplicate_key`."""
        whole = np.empty(len(keys), dtype=np.uint64)
        windows = np.empty(int(_num_windows(np.diff(keys.offsets)).sum()), dtype=np.uint64)
        num_windows = 0
        for first, chunk in chunks_of(keys):
            chars = CodePoints.of(chunk)
            starts = _window_starts(chars)
            whole[first : first + len(chunk)] = whole_hashes(chars)
            windows[num_windows : num_windows + len(starts)] = _window_hashes(chars, starts)
            num_windows += len(starts)
            on_progress((first + len(chunk)) / len(keys), "indexing the tweets for novelty")
        return cls(distinct(whole), distinct(windows[:num_windows]))

    def copied_share(self, tweet: str) -> float:
        """Return the share, 0 to 1, of the tweet's characters in long runs from a training tweet; 1: a whole copy."""
        chars = CodePoints.of(FlatTweets.from_texts([duplicate_key(tweet)]))
        if contains(self.whole, whole_hashes(chars)).all():
            return 1.0
        length = len(chars.codes)
        is_copied = np.zeros(max(1, length), dtype=np.bool_)
        starts = np.arange(max(0, length - WINDOW + 1))
        for start in starts[contains(self.windows, _window_hashes(chars, starts))]:
            is_copied[start : start + WINDOW] = True
        return float(is_copied.mean())

    def classify(self, tweet: str) -> Novelty:
        """Return the novelty of a tweet."""
        return novelty_of(self.copied_share(tweet))


def novelty_of(copied_share: float) -> Novelty:
    """Return "copy" for a share of 1, "near-copy" from `NEAR_COPY_SHARE` on, else "new"."""
    if copied_share >= 1.0:
        return "copy"
    return "near-copy" if copied_share >= NEAR_COPY_SHARE else "new"


def _window_hashes(chars: CodePoints, starts: Indices) -> Hashes:
    """Return the hash of the window at each start, (starts,)."""
    return mix(RunHasher.of(chars).runs(starts, starts + WINDOW))


def _num_windows(lengths: Indices) -> Indices:
    """Return the number of windows stored for texts of these lengths."""
    return np.maximum(0, (lengths - WINDOW) // STRIDE + 1)


def _window_starts(chars: CodePoints) -> Indices:
    """Return the starts of the windows to store; none crosses from one tweet to the next."""
    counts = _num_windows(chars.lengths)
    number_in_tweet = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts: Indices = np.repeat(chars.offsets[:-1], counts) + STRIDE * number_in_tweet
    return starts
