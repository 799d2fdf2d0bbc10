"""`FlatTweets`: millions of tweets as one array of UTF-8 bytes and one of offsets, in memory.

A tweet of 75 characters takes 75 bytes and 8 for its offset; a Python string takes twice that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import numpy.typing as npt

CHUNK_TWEETS = 65_536
COPIED_TWEETS = 4_096
"""Tweets per step of `select`, which needs 24 bytes of indices per byte of text."""


@dataclass(frozen=True)
class FlatTweets:
    """An immutable sequence of texts; `compact` consumes it."""

    utf8: npt.NDArray[np.uint8]  # (all bytes,)
    offsets: npt.NDArray[np.int64]  # (tweets + 1,): tweet i is utf8[offsets[i]:offsets[i + 1]]

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> FlatTweets:
        """Build the arrays, consuming `texts` chunk by chunk."""
        builder = FlatBuilder()
        builder.extend(texts)
        return builder.finish()

    def __len__(self) -> int:
        """Return the number of tweets."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        """Return one tweet, decoded. Raises `IndexError`."""
        index = range(len(self))[index]
        return bytes(self.utf8[self.offsets[index] : self.offsets[index + 1]]).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        """Yield all tweets in order, decoded chunk by chunk."""
        for chunk in self.chunks():
            data = bytes(chunk.utf8)
            for start, end in pairwise(chunk.offsets.tolist()):
                yield data[start:end].decode("utf-8", "surrogatepass")

    def chunks(self) -> Iterator[FlatTweets]:
        """Yield all tweets in order, in views of at most `CHUNK_TWEETS`; nothing is copied."""
        for first in range(0, len(self), CHUNK_TWEETS):
            yield self.slice(first, min(first + CHUNK_TWEETS, len(self)))

    def slice(self, first: int, last: int) -> FlatTweets:
        """Return a view of the tweets from `first` to before `last`; the bytes are not copied."""
        offsets = self.offsets[first : last + 1]
        return FlatTweets(self.utf8[offsets[0] : offsets[-1]], offsets - offsets[0])

    def select(self, indices: npt.NDArray[np.int64]) -> FlatTweets:
        """Return a copy of the tweets at `indices`, (selected,), in that order."""
        lengths = (self.offsets[1:] - self.offsets[:-1])[indices]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        utf8 = np.empty(offsets[-1], dtype=np.uint8)
        for first in range(0, len(indices), COPIED_TWEETS):
            part = slice(first, first + COPIED_TWEETS)
            starts = np.repeat(self.offsets[indices[part]] - offsets[:-1][part], lengths[part])
            low, high = offsets[first], offsets[min(first + COPIED_TWEETS, len(indices))]
            utf8[low:high] = self.utf8[starts + np.arange(low, high)]
        return FlatTweets(utf8, offsets)

    def compact(self, is_kept: npt.NDArray[np.bool_]) -> FlatTweets:
        """Return the tweets of the mask `is_kept`, (tweets,), in the memory of this object, which becomes invalid."""
        lengths = np.diff(self.offsets)
        offsets = np.zeros(np.count_nonzero(is_kept) + 1, dtype=np.int64)
        np.cumsum(lengths[is_kept], out=offsets[1:])
        end = 0
        for first in range(0, len(self), CHUNK_TWEETS):
            part = slice(first, min(first + CHUNK_TWEETS, len(self)))
            kept = self.utf8[self.offsets[part.start] : self.offsets[part.stop]][
                np.repeat(is_kept[part], lengths[part])
            ]
            self.utf8[end : end + len(kept)] = kept
            end += len(kept)
        return FlatTweets(self.utf8[:end], offsets)

    def char_lengths(self) -> npt.NDArray[np.int64]:
        """Return the number of characters of each tweet, (tweets,)."""
        lengths = np.zeros(len(self), dtype=np.int64)
        first = 0
        for chunk in self.chunks():
            before = np.concatenate(([0], np.cumsum((chunk.utf8 & 0xC0) != 0x80)))  # bytes that start a character
            lengths[first : first + len(chunk)] = np.diff(before[chunk.offsets])
            first += len(chunk)
        return lengths


def char_counts(tweets: FlatTweets) -> dict[str, int]:
    """Return the count of each character, the most frequent first."""
    counts = np.zeros(0, dtype=np.int64)
    for chunk in tweets.chunks():
        text = bytes(chunk.utf8).decode("utf-8", "surrogatepass")
        code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        more = np.bincount(code_points, minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    seen = np.flatnonzero(counts)
    return {chr(point): int(counts[point]) for point in seen[np.argsort(-counts[seen], kind="stable")]}


class FlatBuilder:
    """Builds a `FlatTweets`; never has more than one chunk as Python strings."""

    def __init__(self) -> None:
        self._utf8 = bytearray()
        self._lengths: list[npt.NDArray[np.uint32]] = []

    def extend(self, texts: Iterable[str]) -> None:
        """Append texts, each of at most 4 GB of UTF-8."""
        remaining = iter(texts)
        while batch := list(islice(remaining, CHUNK_TWEETS)):
            encoded = [text.encode("utf-8", "surrogatepass") for text in batch]
            self._utf8 += b"".join(encoded)
            self._lengths.append(np.fromiter(map(len, encoded), dtype=np.uint32, count=len(encoded)))

    def finish(self) -> FlatTweets:
        """Return all texts; the builder can't be used afterwards."""
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), *self._lengths], dtype=np.int64)
        self._lengths.clear()
        np.cumsum(offsets, out=offsets)
        return FlatTweets(np.frombuffer(self._utf8, dtype=np.uint8), offsets)
