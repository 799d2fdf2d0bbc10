"""Whether a generated tweet is new, or copied from the training tweets.

Every eighth window of 24 characters of each training tweet is kept as one 64-bit hash: one byte per character of
text. A run of 31 characters or more that a tweet shares with a training tweet holds at least one of these windows
whole, so it is always found. Both sets are plain sorted arrays, which may lie in a file.
"""

from __future__ import annotations

import numpy as np

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.ingest.cleaning import duplicate_key
from engine.corpus.similarity.rolling_hash import CodePoints, Hashes, Indices, RunHasher, chunks_of, mix, whole_hashes
from engine.corpus.similarity.sorted_sets import are_in, distinct
from engine.protocol.events import Novelty
from engine.protocol.stage import OnProgress, no_progress

WINDOW = 24
STRIDE = 8
NEAR_COPY_SHARE = 0.5


class NoveltyIndex:
    """What the training tweets say, for comparing. Names, links, case and punctuation do not count."""

    def __init__(self, whole: Hashes, windows: Hashes) -> None:
        """Compare with sorted hashes of whole keys, and of windows of keys."""
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
            on_progress((first + len(chunk)) / len(keys), "noting what a copy is known by")
        return cls(distinct(whole), distinct(windows[:num_windows]))

    def copied_share(self, tweet: str) -> float:
        """Return the share, 0 to 1, of the tweet's characters that lie in long runs shared with a training tweet."""
        chars = CodePoints.of(FlatTweets.from_texts([duplicate_key(tweet)]))
        if are_in(self.whole, whole_hashes(chars)).all():
            return 1.0
        length = len(chars.codes)
        is_copied = np.zeros(max(1, length), dtype=np.bool_)
        starts = np.arange(max(0, length - WINDOW + 1))
        for start in starts[are_in(self.windows, _window_hashes(chars, starts))]:
            is_copied[start : start + WINDOW] = True
        return float(is_copied.mean())

    def classify(self, tweet: str) -> Novelty:
        """Return how new a tweet is."""
        return novelty_of(self.copied_share(tweet))


def novelty_of(copied_share: float) -> Novelty:
    """Return "copy" for a tweet of the corpus, which is copied whole, "near-copy" for a half copied one, else "new"."""
    if copied_share >= 1.0:
        return "copy"
    return "near-copy" if copied_share >= NEAR_COPY_SHARE else "new"


def _window_hashes(chars: CodePoints, starts: Indices) -> Hashes:
    """Return the hash of each window that begins at `starts`."""
    return mix(RunHasher.of(chars).runs(starts, starts + WINDOW))


def _num_windows(lengths: Indices) -> Indices:
    """Return how many windows are kept of a text of each length."""
    return np.maximum(0, (lengths - WINDOW) // STRIDE + 1)


def _window_starts(chars: CodePoints) -> Indices:
    """Return where the kept windows of each tweet begin; none crosses the border between two."""
    counts = _num_windows(chars.lengths)
    number_in_tweet = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts: Indices = np.repeat(chars.offsets[:-1], counts) + STRIDE * number_in_tweet
    return starts
