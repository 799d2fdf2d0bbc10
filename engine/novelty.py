"""Whether a generated tweet is new, or copied from the training tweets.

Every eighth window of 24 characters of each training tweet is kept as one 64-bit hash: one byte per character of
text. A run of 31 characters or more that a tweet shares with a training tweet holds at least one of these windows
whole, so it is always found.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from engine.corpus.cleaning import duplicate_key
from engine.events import Novelty

WINDOW = 24
STRIDE = 8
NEAR_COPY_SHARE = 0.5
_BASE = np.uint64(0x9E3779B97F4A7C15)


def _codes(text: str) -> npt.NDArray[np.uint64]:
    """Return the code points of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)


def _window_hashes(codes: npt.NDArray[np.uint64], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return the polynomial hash, modulo 2^64, of the windows of `codes` that begin at `starts`."""
    hashes = np.zeros(len(starts), dtype=np.uint64)
    for shift in range(WINDOW):
        hashes = hashes * _BASE + codes[starts + shift]
    return hashes


def _window_starts(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return where the kept windows of texts of these lengths begin, all texts being joined; none crosses a border."""
    counts = np.maximum(0, (lengths - WINDOW) // STRIDE + 1)
    text_starts = np.cumsum(lengths) - lengths
    number_in_text = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts: npt.NDArray[np.int64] = np.repeat(text_starts, counts) + STRIDE * number_in_text
    return starts


class NoveltyIndex:
    """What the training tweets say, for comparing. Names, links, case and punctuation do not count."""

    def __init__(self, tweets: Iterable[str]) -> None:
        """Index `tweets`."""
        keys = [duplicate_key(tweet) for tweet in tweets]
        lengths = np.fromiter(map(len, keys), dtype=np.int64, count=len(keys))
        self._whole = frozenset(map(hash, keys))
        self._windows = np.unique(_window_hashes(_codes("".join(keys)), _window_starts(lengths)))

    def copied_share(self, tweet: str) -> float:
        """Return the share, 0 to 1, of the tweet's characters that lie in long runs shared with a training tweet."""
        key = duplicate_key(tweet)
        if hash(key) in self._whole:
            return 1.0
        if len(key) < WINDOW or not len(self._windows):
            return 0.0
        hashes = _window_hashes(_codes(key), np.arange(len(key) - WINDOW + 1))
        places = np.minimum(np.searchsorted(self._windows, hashes), len(self._windows) - 1)
        is_copied = np.zeros(len(key), dtype=np.bool_)
        for start in np.flatnonzero(self._windows[places] == hashes):
            is_copied[start : start + WINDOW] = True
        return float(is_copied.mean())

    def judge(self, tweet: str) -> Novelty:
        """Return "copy" for a tweet of the corpus, "near-copy" for one that is half copied, else "new"."""
        share = self.copied_share(tweet)
        if share >= 1.0:
            return "copy"
        return "near-copy" if share >= NEAR_COPY_SHARE else "new"
