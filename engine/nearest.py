"""Which training tweet is most like a text: the one that shares most runs of three characters with it.

Two looks. The first counts, over the bytes of all tweets, how many of the text's runs of three bytes each tweet holds:
a table says which run a byte ends, if any, so that a byte costs a nanosecond or two in compiled code, and a tweet eight
bytes of memory. The second decodes the best few and compares characters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.alike.hashing import chunks_of
from engine.corpus.flat import FlatTweets
from engine.text import harmless

_RUN = 3
_NUM_COMPARED = 100
"""Tweets that are compared character by character: bytes are so like characters that the best is among them."""
_NUM_KEYS, _KEY_SHIFT = 1 << 15, 5  # as in `engine.fast.shared_runs`, which is not there without Numba

Table = npt.NDArray[np.uint16]
Shares = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The training tweet that has most in common with a text."""

    text: str = ""
    """Empty where none has anything."""
    share: float = 0.0
    """How alike they are, 0 to 1."""


def nearest_tweet(train: FlatTweets, text: str) -> Nearest:
    """Return the tweet of `train` that shares most runs of three characters with `text`, for their number in both."""
    wanted = _runs(text)
    best = Nearest()
    for index in _candidates(train, text):
        tweet = train[index]
        runs = _runs(tweet)
        share = len(wanted & runs) / max(1, len(wanted | runs))
        if share > best.share:
            best = Nearest(text=harmless(tweet), share=round(share, 3))
    return best


def _runs(text: str) -> set[str]:
    return {text[at : at + _RUN] for at in range(len(text) - _RUN + 1)}


def _candidates(train: FlatTweets, text: str) -> list[int]:
    """Return the few tweets that share most runs of bytes with `text`, in their order."""
    keys = np.unique(_keys(np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8))[_RUN - 1 :])
    table = np.zeros(_NUM_KEYS, dtype=np.uint16)
    table[keys] = np.arange(1, len(keys) + 1)
    shares = _shares(train, table, len(keys))
    lowest = np.partition(shares, -_NUM_COMPARED)[-_NUM_COMPARED] if len(shares) > _NUM_COMPARED else 0.0
    best = np.flatnonzero((shares >= lowest) & (shares > 0))
    return sorted(best[np.argsort(-shares[best], kind="stable")][:_NUM_COMPARED].tolist())


def _shares(train: FlatTweets, table: Table, num_wanted: int) -> Shares:
    """Return what each tweet shares of the runs that are numbered in `table`, (tweets,)."""
    shares = np.zeros(len(train), dtype=np.float32)
    try:
        from engine.fast.shared_runs import shared_runs
    except ImportError:
        for first, chunk in chunks_of(train):
            shares[first : first + len(chunk)] = _shares_without_numba(chunk, table, num_wanted)
    else:
        shared_runs(train.utf8, train.offsets, table, np.full(num_wanted + 1, -1, dtype=np.int32), shares)
    return shares


def _shares_without_numba(chunk: FlatTweets, table: Table, num_wanted: int) -> npt.NDArray[np.float64]:
    """Return the same of a few tweets, where a run counts as often as it comes."""
    num_before = np.concatenate(([0], np.cumsum(table[_keys(chunk.utf8)] > 0)))
    counts = np.minimum(np.diff(num_before[chunk.offsets]), num_wanted)
    shares: npt.NDArray[np.float64] = counts / np.maximum(1, num_wanted + np.diff(chunk.offsets) - (_RUN - 1) - counts)
    return shares


def _keys(utf8: npt.NDArray[np.uint8]) -> Table:
    """Return the key of the run that each byte ends, (bytes,)."""
    keys = utf8.astype(np.uint16)
    keys[1:] ^= utf8[:-1].astype(np.uint16) << _KEY_SHIFT
    keys[2:] ^= utf8[:-2].astype(np.uint16) << 2 * _KEY_SHIFT
    keys &= _NUM_KEYS - 1
    return keys
