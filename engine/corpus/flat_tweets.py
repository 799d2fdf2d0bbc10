"""`FlatTweets`: millions of tweets as one array of UTF-8 bytes and one of offsets, not as Python strings.

A tweet of 75 characters costs 75 bytes and 8 for its offset; as a Python string it would cost twice that, and as an
object keep the garbage collector busy. The arrays may lie in a file (`numpy.load` with a memory map).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

CHUNK_TWEETS = 65_536
COPIED_TWEETS = 4_096
"""At once, where each byte's place takes another 24 bytes."""


@dataclass(frozen=True)
class FlatTweets:
    """An immutable sequence of texts."""

    utf8: npt.NDArray[np.uint8]  # (all bytes,)
    offsets: npt.NDArray[np.int64]  # (tweets + 1,): tweet i is utf8[offsets[i]:offsets[i + 1]]

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> FlatTweets:
        """Return `texts` as arrays; they are consumed a chunk at a time."""
        builder = FlatBuilder()
        for text in texts:
            builder.append(text)
        return builder.finish()

    def __len__(self) -> int:
        """Return the number of tweets."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        """Return one tweet."""
        index = range(len(self))[index]
        return bytes(self.utf8[self.offsets[index] : self.offsets[index + 1]]).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        """Return all tweets in order, decoded a chunk at a time."""
        for chunk in self.chunks():
            data = bytes(chunk.utf8)
            for start, end in pairwise(chunk.offsets.tolist()):
                yield data[start:end].decode("utf-8", "surrogatepass")

    def chunks(self) -> Iterator[FlatTweets]:
        """Return all tweets in order, at most `CHUNK_TWEETS` at once; bytes are shared, not copied."""
        for first in range(0, len(self), CHUNK_TWEETS):
            yield self.slice(first, min(first + CHUNK_TWEETS, len(self)))

    def slice(self, first: int, last: int) -> FlatTweets:
        """Return the tweets from `first` to before `last`; the bytes are shared, not copied."""
        offsets = self.offsets[first : last + 1]
        return FlatTweets(self.utf8[offsets[0] : offsets[-1]], offsets - offsets[0])

    def select(self, indices: npt.NDArray[np.int64]) -> FlatTweets:
        """Return the tweets at `indices`, in that order, copied a few at a time."""
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
        """Return the tweets that are kept, (tweets,), moved together in the memory of this one, which is used up."""
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
        """Return the characters of each tweet, (tweets,)."""
        lengths = np.zeros(len(self), dtype=np.int64)
        first = 0
        for chunk in self.chunks():
            before = np.concatenate(([0], np.cumsum((chunk.utf8 & 0xC0) != 0x80)))  # which bytes begin a character
            lengths[first : first + len(chunk)] = np.diff(before[chunk.offsets])
            first += len(chunk)
        return lengths


def char_counts(tweets: FlatTweets) -> dict[str, int]:
    """Return how often each character occurs, the most frequent first."""
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
    """Collects texts into a `FlatTweets`, one chunk of Python strings at a time."""

    def __init__(self) -> None:
        """Begin without a text."""
        self._texts: list[str] = []
        self._utf8 = bytearray()
        self._lengths: list[npt.NDArray[np.uint32]] = []

    def append(self, text: str) -> None:
        """Take one more text."""
        self._texts.append(text)
        if len(self._texts) == CHUNK_TWEETS:
            self._flush()

    def finish(self) -> FlatTweets:
        """Return all texts taken; the builder is used up."""
        self._flush()
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), *self._lengths], dtype=np.int64)
        self._lengths.clear()
        np.cumsum(offsets, out=offsets)
        return FlatTweets(np.frombuffer(self._utf8, dtype=np.uint8), offsets)

    def _flush(self) -> None:
        """Move the collected texts into the arrays."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in self._texts]
        self._texts.clear()
        self._utf8 += b"".join(encoded)
        self._lengths.append(np.fromiter(map(len, encoded), dtype=np.uint32, count=len(encoded)))
