"""Which training tweet is most like a text: the one that shares most runs of three characters with it.

Two looks. The first counts, over the bytes of all tweets, how many of the text's runs of three bytes each tweet holds:
a table says which run a byte ends, if any, so that a byte costs a nanosecond or two in compiled code, and a tweet eight
bytes of memory. The second decodes the best few and compares characters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.compute.cpu.numba_kernels import compiled
from engine.corpus.flat_tweets import FlatTweets
from engine.text import harmless

_RUN = 3
_NUM_COMPARED = 100
"""Tweets that are compared character by character: bytes are so like characters that the best is among them."""
_NUM_KEYS, _KEY_SHIFT = 1 << 15, 5
"""`key = (key << 5) ^ byte`, of which 15 bits are kept: what came three bytes before has left it by then, and a
lower-case letter differs from another in the five bits that are its own."""
_SHIFT, _KEPT_BITS = np.uint32(_KEY_SHIFT), np.uint32(_NUM_KEYS - 1)

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
    utf8 = text.encode("utf-8", "surrogatepass")
    keys = list({_key(*run) for run in zip(utf8, utf8[1:], utf8[2:], strict=False)})
    table = np.zeros(_NUM_KEYS, dtype=np.uint16)
    table[keys] = np.arange(1, len(keys) + 1)
    shares = np.zeros(len(train), dtype=np.float32)
    _compiled_shared_runs(train.utf8, train.offsets, table, np.full(len(keys) + 1, -1, dtype=np.int32), shares)
    lowest = np.partition(shares, -_NUM_COMPARED)[-_NUM_COMPARED] if len(shares) > _NUM_COMPARED else 0.0
    best = np.flatnonzero((shares >= lowest) & (shares > 0))
    return sorted(best[np.argsort(-shares[best], kind="stable")][:_NUM_COMPARED].tolist())


def _shared_runs(
    utf8: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    table: Table,
    last_seen: npt.NDArray[np.int32],
    shares: Shares,
) -> None:
    """Write to `shares` (texts,) which share of the runs in both a text and the wanted one is common to them.

    `table` (keys,) numbers the wanted runs from 1 on; `last_seen` (numbers + 1,) begins at -1. No branch depends on the
    text: the pass takes about 1.5 nanoseconds a byte, and with a branch three times that.
    """
    num_wanted = len(last_seen) - 1
    for text in range(len(offsets) - 1):
        start, end = np.uint64(offsets[text]), np.uint64(offsets[text + 1])  # unsigned: no index counts from the end
        last_seen[0] = text  # what is no wanted run is never new
        key = np.uint32(0)
        count = 0
        for place in range(start, end):
            key = ((key << _SHIFT) ^ np.uint32(utf8[place])) & _KEPT_BITS
            number = table[key]
            count += last_seen[number] != text
            last_seen[number] = text
        shares[text] = count / max(1.0, num_wanted + float(end - start) - 2.0 - count)


_compiled_shared_runs = compiled(_shared_runs)


def _key(first: int, second: int, third: int) -> int:
    """Return the key of a run of three bytes."""
    return ((first << 2 * _KEY_SHIFT) ^ (second << _KEY_SHIFT) ^ third) & (_NUM_KEYS - 1)
