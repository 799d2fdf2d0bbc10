"""Hashes of the words and runs of many tweets at once.

The idea: with `prefix[i]` the sum of `code[j] * BASE**j` over the characters before i, modulo 2^64, the hash of any run
is `(prefix[end] - prefix[start]) * BASE**-start`: two look-ups, whatever its length. A character is a code point, so
that a run of 24 is as long in Japanese as in English. Hashes are the same on every machine and in every process. Two
different runs share one with a chance of about 2^-64; nothing here looks at the texts again.
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
"""Of text at once: what numpy makes of it then fits in a processor's cache."""
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse
_MODULUS = 1 << 64
_SMALLEST_TABLE = CHUNK_BYTES


@dataclass(frozen=True)
class CodePoints:
    """The characters of a few tweets, one tweet after the other."""

    codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint32]  # (characters,)
    offsets: Indices  # (tweets + 1,): tweet i is codes[offsets[i]:offsets[i + 1]]

    @classmethod
    def of(cls, tweets: FlatTweets) -> CodePoints:
        """Return the code points of `tweets`; for ASCII, they are the bytes."""
        if not (tweets.utf8 & 0x80).any():
            return cls(tweets.utf8, tweets.offsets)
        is_first = (tweets.utf8 & 0xC0) != 0x80
        offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(is_first)))[tweets.offsets]
        text = bytes(tweets.utf8).decode("utf-8", "surrogatepass")
        return cls(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4"), offsets)

    @property
    def lengths(self) -> Indices:
        """The characters of each tweet, (tweets,)."""
        lengths: Indices = np.diff(self.offsets)
        return lengths

    @property
    def owners(self) -> Indices:
        """The tweet that each character belongs to, (characters,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)


@dataclass(frozen=True)
class RunHasher:
    """Hashes any run of some characters."""

    prefix: Hashes  # (characters + 1,)

    @classmethod
    def of(cls, chars: CodePoints) -> RunHasher:
        """Sum up the characters once."""
        prefix = np.zeros(len(chars.codes) + 1, dtype=np.uint64)
        # One is added because a NUL would count for nothing: a word would equal the same word with a NUL behind it.
        np.add(chars.codes, 1, out=prefix[1:], dtype=np.uint64, casting="unsafe")
        prefix[1:] *= _powers(_table_size(len(prefix)), _BASE)[: len(chars.codes)]
        np.cumsum(prefix, out=prefix)
        return cls(prefix)

    def runs(self, starts: Indices, ends: Indices) -> Hashes:
        """Return the hash of each run from a start to before its end, (runs,)."""
        inverses = _powers(_table_size(len(self.prefix)), pow(_BASE, -1, _MODULUS))
        return (self.prefix[ends] - self.prefix[starts]) * inverses[starts]

    def windows(self, size: int) -> Hashes:
        """Return the hash of the run of `size` characters that begins at each; of too few characters, none."""
        count = max(0, len(self.prefix) - size)
        inverses = _powers(_table_size(len(self.prefix)), pow(_BASE, -1, _MODULUS))
        return (self.prefix[size:] - self.prefix[:count]) * inverses[:count]


def mix(hashes: Hashes) -> Hashes:
    """Return the hashes with every bit depending on every other (splitmix64's finalizer; Stafford 2011, Mix13).

    Sums of hashes need it: unmixed, the polynomial hashes of "ab cd" and of other words add up to the same too easily.
    """
    mixed = hashes ^ (hashes >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def whole_hashes(chars: CodePoints) -> Hashes:
    """Return one hash of the whole of each tweet, (tweets,)."""
    return mix(RunHasher.of(chars).runs(chars.offsets[:-1], chars.offsets[1:]))


def begins_window(chars: CodePoints, size: int) -> npt.NDArray[np.bool_]:
    """Return at which characters a run of `size` begins that ends in the same tweet, (characters,)."""
    changes = np.zeros(len(chars.codes) + 1, dtype=np.int8)
    is_long = chars.lengths >= size
    changes[chars.offsets[:-1][is_long]] = 1
    changes[chars.offsets[1:][is_long] - (size - 1)] -= 1
    return np.cumsum(changes[:-1], dtype=np.int8).view(np.bool_)


def chunks_of(tweets: FlatTweets, size_bytes: int = CHUNK_BYTES) -> Iterator[tuple[int, FlatTweets]]:
    """Yield the tweets in order, in parts of up to `size_bytes` or one tweet, each with the number of its first."""
    first = 0
    while first < len(tweets):
        last = int(np.searchsorted(tweets.offsets, tweets.offsets[first] + size_bytes, side="right")) - 1
        last = min(max(last, first + 1), len(tweets))
        yield first, tweets.slice(first, last)
        first = last


def _table_size(count: int) -> int:
    """Return a size of which few different ones are ever asked for."""
    return max(_SMALLEST_TABLE, 1 << count.bit_length())


@lru_cache(maxsize=4)
def _powers(count: int, base: int) -> Hashes:
    """Return the first `count` powers of `base`, modulo 2^64."""
    powers = np.full(count, base, dtype=np.uint64)
    powers[0] = 1
    np.cumprod(powers, out=powers)
    return powers
