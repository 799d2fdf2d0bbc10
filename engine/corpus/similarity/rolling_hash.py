"""Polynomial hashes of words and runs of characters, for many tweets at once.

With `prefix[i]` the sum of `code[j] * BASE**j` over the characters before i, modulo 2^64, the hash of any run
is `(prefix[end] - prefix[start]) * BASE**-start`: two look-ups for any length. A character is a code point, so that
a run of 24 is as long in Japanese as in English. Hashes are equal on every machine and in every process. Two different
runs collide with a probability of about 2^-64; collisions are never checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.corpus.flat_tweets import FlatTweets

Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]

CHUNK_BYTES = 1 << 18
"""Bytes of text per chunk, so that numpy's intermediate arrays fit into a CPU cache."""
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse
_MODULUS = 1 << 64
_SMALLEST_TABLE = CHUNK_BYTES


@dataclass(frozen=True)
class CodePoints:
    """The characters of a chunk of tweets, one tweet after the other."""

    codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint32]  # (characters,)
    offsets: Indices  # (tweets + 1,): tweet i is codes[offsets[i]:offsets[i + 1]]

    @classmethod
    def of(cls, tweets: FlatTweets) -> CodePoints:
        """Decode `tweets`; for ASCII, the bytes are used without a copy."""
        if not (tweets.utf8 & 0x80).any():
            return cls(tweets.utf8, tweets.offsets)
        is_first = (tweets.utf8 & 0xC0) != 0x80
        offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(is_first)))[tweets.offsets]
        text = bytes(tweets.utf8).decode("utf-8", "surrogatepass")
        return cls(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4"), offsets)

    @property
    def lengths(self) -> Indices:
        """The number of characters of each tweet, (tweets,)."""
        lengths: Indices = np.diff(self.offsets)
        return lengths

    @property
    def owners(self) -> Indices:
        """The index of each character's tweet, (characters,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)


@dataclass(frozen=True)
class RunHasher:
    """Computes the hash of any run of characters from prefix sums."""

    prefix: Hashes  # (characters + 1,)

    @classmethod
    def of(cls, chars: CodePoints) -> RunHasher:
        """Compute the prefix sums of `chars`."""
        prefix = np.zeros(len(chars.codes) + 1, dtype=np.uint64)
        # +1, else NUL would have no effect: a word would equal itself followed by a NUL.
        np.add(chars.codes, 1, out=prefix[1:], dtype=np.uint64, casting="unsafe")
        prefix[1:] *= _powers(_table_size(len(prefix)), _BASE)[: len(chars.codes)]
        np.cumsum(prefix, out=prefix)
        return cls(prefix)

    def runs(self, starts: Indices, ends: Indices) -> Hashes:
        """Return the hash of each run from `starts[i]` to before `ends[i]`, (runs,)."""
        inverses = _powers(_table_size(len(self.prefix)), pow(_BASE, -1, _MODULUS))
        return (self.prefix[ends] - self.prefix[starts]) * inverses[starts]

    def windows(self, size: int) -> Hashes:
        """Return the hash of the `size` characters from each position on, (characters - size + 1,)."""
        count = max(0, len(self.prefix) - size)
        inverses = _powers(_table_size(len(self.prefix)), pow(_BASE, -1, _MODULUS))
        return (self.prefix[size:] - self.prefix[:count]) * inverses[:count]


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


def whole_hashes(chars: CodePoints) -> Hashes:
    """Return the hash of each whole tweet, (tweets,)."""
    return mix(RunHasher.of(chars).runs(chars.offsets[:-1], chars.offsets[1:]))


def window_fits(chars: CodePoints, size: int) -> npt.NDArray[np.bool_]:
    """Return the mask of the characters at which a run of `size` fits into the tweet, (characters,)."""
    changes = np.zeros(len(chars.codes) + 1, dtype=np.int8)
    is_long = chars.lengths >= size
    changes[chars.offsets[:-1][is_long]] = 1
    changes[chars.offsets[1:][is_long] - (size - 1)] -= 1
    return np.cumsum(changes[:-1], dtype=np.int8).view(np.bool_)


def chunks_of(tweets: FlatTweets, size_bytes: int = CHUNK_BYTES) -> Iterator[tuple[int, FlatTweets]]:
    """Yield views of up to `size_bytes`, or of one longer tweet, each with the index of its first tweet."""
    first = 0
    while first < len(tweets):
        last = int(np.searchsorted(tweets.offsets, tweets.offsets[first] + size_bytes, side="right")) - 1
        last = min(max(last, first + 1), len(tweets))
        yield first, tweets.slice(first, last)
        first = last


def _table_size(count: int) -> int:
    """Return `count` rounded up to a power of 2, so that few tables are cached."""
    return max(_SMALLEST_TABLE, 1 << count.bit_length())


@lru_cache(maxsize=4)
def _powers(count: int, base: int) -> Hashes:
    """Return the first `count` powers of `base`, modulo 2^64."""
    powers = np.full(count, base, dtype=np.uint64)
    powers[0] = 1
    np.cumprod(powers, out=powers)
    return powers
