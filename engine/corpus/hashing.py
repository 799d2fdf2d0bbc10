"""64-bit hashes of words, of runs of characters and of whole tweets, sets of them, and `NoveltyIndex`.

With `prefix[i]` the sum of `(code[j] + 1) * BASE**j` over the characters before i, modulo 2^64, the hash of any run
is `(prefix[end] - prefix[start]) * BASE**-start`: two look-ups for any length. A character is a code point, so that
a run of 24 is as long in Japanese as in English. Hashes are equal on every machine and in every process. Two different
runs collide with a probability of about 2^-64; collisions are never checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.corpus.arrays import CHUNK_BYTES, FlatTweets, Indices, Mask
from engine.corpus.cleaning import duplicate_key
from engine.protocol.events import Novelty
from engine.protocol.progress import OnProgress, no_progress

Hashes = npt.NDArray[np.uint64]

WINDOW = 24
STRIDE = 8
NEAR_COPY_SHARE = 0.5
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse
_INVERSE = pow(_BASE, -1, 1 << 64)
_PART = 1 << 20
_MIN_BITS = 16


@dataclass(frozen=True)
class HashedChars:
    """The characters of a chunk of tweets, one tweet after the other, and the hash of any run of them."""

    codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint32]  # (characters,)
    offsets: Indices  # (tweets + 1,): tweet i is codes[offsets[i]:offsets[i + 1]]
    prefix: Hashes  # (characters + 1,)

    @classmethod
    def of(cls, tweets: FlatTweets) -> HashedChars:
        """Decode and hash `tweets`; of ASCII, the bytes are the characters."""
        codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint32] = tweets.utf8
        offsets = tweets.offsets
        if (codes & 0x80).any():
            is_first = (tweets.utf8 & 0xC0) != 0x80
            offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(is_first)))[offsets]
            codes = tweets.code_points()
        prefix = np.zeros(len(codes) + 1, dtype=np.uint64)
        # +1, else NUL would have no effect: a word would equal itself followed by a NUL.
        np.add(codes, 1, out=prefix[1:], dtype=np.uint64, casting="unsafe")
        prefix[1:] *= _powers(_BASE, len(codes))
        np.cumsum(prefix, out=prefix)
        return cls(codes, offsets, prefix)

    @property
    def lengths(self) -> Indices:
        """The number of characters of each tweet, (tweets,)."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> Indices:
        """The index of each character's tweet, (characters,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)

    def fits(self, size: int) -> Mask:
        """Return the mask of the characters at which a run of `size` fits into the tweet, (characters,)."""
        changes = np.zeros(len(self.codes) + 1, dtype=np.int8)
        is_long = self.lengths >= size
        changes[self.offsets[:-1][is_long]] = 1
        changes[self.offsets[1:][is_long] - (size - 1)] -= 1
        return np.cumsum(changes[:-1], dtype=np.int8).view(np.bool_)

    def runs(self, starts: Indices, ends: Indices) -> Hashes:
        """Return the hash of each run from `starts[i]` to before `ends[i]`, (runs,)."""
        return (self.prefix[ends] - self.prefix[starts]) * _powers(_INVERSE, len(self.prefix))[starts]

    def windows(self, size: int) -> Hashes:
        """Return the hash of the `size` characters from each position on, (characters - size + 1,)."""
        count = max(0, len(self.prefix) - size)
        return (self.prefix[size:] - self.prefix[:count]) * _powers(_INVERSE, count)

    def whole_tweets(self) -> Hashes:
        """Return the mixed hash of each whole tweet, (tweets,)."""
        return mix(self.runs(self.offsets[:-1], self.offsets[1:]))


def mix(hashes: Hashes) -> Hashes:
    """Return the hashes with all bits mixed (the finalizer of splitmix64; Stafford 2011, Mix13).

    Required before hashes are added: sums of unmixed polynomial hashes collide easily.
    """
    mixed = hashes ^ (hashes >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _powers(base: int, count: int) -> Hashes:
    """Return the first powers of `base`, modulo 2^64, (count,); of few sizes, so that few tables are cached."""
    return _table_of_powers(base, max(CHUNK_BYTES, 1 << count.bit_length()))[:count]


@lru_cache(maxsize=4)
def _table_of_powers(base: int, count: int) -> Hashes:
    powers = np.full(count, base, dtype=np.uint64)
    powers[0] = 1
    np.cumprod(powers, out=powers)
    return powers


# Sets of hashes -------------------------------------------------------------------------------------------------------


def distinct(hashes: Hashes) -> Hashes:
    """Return the distinct hashes, sorted, in the memory of `hashes`, which is overwritten."""
    hashes.sort()
    count = 0
    for first in range(0, len(hashes), _PART):
        part = hashes[first : first + _PART]
        is_new = np.ones(len(part), dtype=np.bool_)
        is_new[1:] = part[1:] != part[:-1]
        is_new[0] = not count or hashes[count - 1] != part[0]
        kept = part[is_new]
        hashes[count : count + len(kept)] = kept
        count += len(kept)
    return hashes[:count]


def find_in(known: Hashes, hashes: Hashes) -> Indices:
    """Return the index of each hash in the sorted `known`, (hashes,); arbitrary for a hash that is not in it."""
    return np.minimum(np.searchsorted(known, hashes), max(0, len(known) - 1))


def contains(known: Hashes, hashes: Hashes) -> Mask:
    """Return the mask of the hashes that are in the sorted `known`, (hashes,)."""
    if not len(known):
        return np.zeros(len(hashes), dtype=np.bool_)
    is_in: Mask = known[find_in(known, hashes)] == hashes
    return is_in


class GrowingSet:
    """A set of hashes to which many are added at a time: sorted arrays, each more than twice as long as the next."""

    def __init__(self) -> None:
        self._arrays: list[Hashes] = []

    def contains(self, hashes: Hashes) -> Mask:
        """Return the mask of the hashes that are in the set, (hashes,)."""
        is_in = np.zeros(len(hashes), dtype=np.bool_)
        for known in self._arrays:
            is_in |= contains(known, hashes)
        return is_in

    def add(self, hashes: Hashes) -> None:
        """Add hashes that are not in the set."""
        while self._arrays and len(self._arrays[-1]) <= 2 * len(hashes):
            hashes = np.concatenate([self._arrays.pop(), hashes])
        if len(hashes):
            self._arrays.append(np.sort(hashes, kind="stable"))


class BitTable:
    """A Bloom filter with one hash function (Bloom 1970): one bit per slot.

    The slot is the hash's leading bits, so that sorted hashes have sorted slots.
    """

    def __init__(self, num_slots: int) -> None:
        """Create an empty table with at least `num_slots` slots."""
        num_bits = max(_MIN_BITS, num_slots.bit_length())
        self._shift = np.uint64(64 - num_bits)
        self._table = np.zeros(1 << (num_bits - 3), dtype=np.uint8)

    def slots(self, hashes: Hashes) -> Hashes:
        """Return the slot of each hash, (hashes,)."""
        return hashes >> self._shift

    def has(self, slots: Hashes) -> Mask:
        """Return the mask of the slots that are set, (slots,)."""
        is_in: Mask = (self._table[slots >> np.uint64(3)] & _bit(slots)) != 0
        return is_in

    def add(self, slots: Hashes) -> None:
        """Set sorted slots."""
        if not len(slots):
            return
        places = slots >> np.uint64(3)
        starts = np.flatnonzero(np.concatenate((np.ones(1, dtype=np.bool_), places[1:] != places[:-1])))
        self._table[places[starts]] |= np.bitwise_or.reduceat(_bit(slots), starts)


def _bit(slots: Hashes) -> npt.NDArray[np.uint8]:
    """Return the mask of each slot's bit within its byte."""
    return np.left_shift(np.uint8(1), (slots & np.uint64(7)).astype(np.uint8))


# Novelty --------------------------------------------------------------------------------------------------------------


class NoveltyIndex:
    """Whether a generated tweet is new or copied from the training tweets. Never stores a text.

    Names, links, case and punctuation are ignored. Every eighth window of 24 characters of each training tweet is
    stored as a hash, which takes one byte per character. A shared run of 31 characters or more contains at least one of
    these windows, so it is always found.
    """

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
        for first, chunk in keys.chunks():
            chars = HashedChars.of(chunk)
            counts = _num_windows(chars.lengths)
            numbers = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)  # within each tweet
            starts = np.repeat(chars.offsets[:-1], counts) + STRIDE * numbers
            whole[first : first + len(chunk)] = chars.whole_tweets()
            windows[num_windows : num_windows + len(starts)] = mix(chars.runs(starts, starts + WINDOW))
            num_windows += len(starts)
            on_progress((first + len(chunk)) / len(keys), "indexing the tweets for novelty")
        return cls(distinct(whole), distinct(windows[:num_windows]))

    def copied_share(self, tweet: str) -> float:
        """Return the share, 0 to 1, of the tweet's characters in long runs from a training tweet; 1: a whole copy."""
        chars = HashedChars.of(FlatTweets.from_texts([duplicate_key(tweet)]))
        if contains(self.whole, chars.whole_tweets()).all():
            return 1.0
        is_copied = np.zeros(max(1, len(chars.codes)), dtype=np.bool_)
        for start in np.flatnonzero(contains(self.windows, mix(chars.windows(WINDOW)))):
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


def _num_windows(lengths: Indices) -> Indices:
    """Return the number of windows stored for texts of these lengths."""
    return np.maximum(0, (lengths - WINDOW) // STRIDE + 1)
