"""Tweets in memory: `FlatTweets`, their text; `EncodedTweets`, their token ids; `Batch`, some of them padded.

Millions of tweets are one flat array and one of offsets: a tweet of 75 characters takes 75 bytes and 8 for its offset,
a Python string twice that. All work on them is done chunk by chunk. Never imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise

import numpy as np
import numpy.typing as npt

from engine.model.vocab import BOS, EOS, PAD, UNK, Vocab

Ids = npt.NDArray[np.int64]
"""Token ids."""
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

CHUNK_BYTES = 1 << 18
"""Bytes of text per chunk, so that numpy's intermediate arrays fit into a CPU cache."""
CHUNK_TWEETS = 65_536
"""Tweets that are Python strings at a time while the arrays are built."""
COPIED_TWEETS = 4_096
"""Tweets per step of `select`, which needs 24 bytes of indices per byte of text."""


@dataclass(frozen=True)
class FlatTweets:
    """An immutable sequence of texts; `compact` consumes it."""

    utf8: npt.NDArray[np.uint8]  # (all bytes,)
    offsets: Indices  # (tweets + 1,): tweet i is utf8[offsets[i]:offsets[i + 1]]

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> FlatTweets:
        """Build the arrays, consuming `texts` chunk by chunk."""
        builder = FlatBuilder()
        builder.extend(texts)
        return builder.finish()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        """Return one tweet, decoded. Raises `IndexError`."""
        index = range(len(self))[index]
        return bytes(self.utf8[self.offsets[index] : self.offsets[index + 1]]).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        """Yield all tweets in order, decoded chunk by chunk."""
        for _, chunk in self.chunks():
            data = bytes(chunk.utf8)
            for start, end in pairwise(chunk.offsets.tolist()):
                yield data[start:end].decode("utf-8", "surrogatepass")

    def chunks(self) -> Iterator[tuple[int, FlatTweets]]:
        """Yield views of up to `CHUNK_BYTES`, or of one longer tweet, each with the index of its first tweet."""
        first = 0
        while first < len(self):
            last = int(np.searchsorted(self.offsets, self.offsets[first] + CHUNK_BYTES, side="right")) - 1
            last = min(max(last, first + 1), len(self))
            offsets = self.offsets[first : last + 1]
            yield first, FlatTweets(self.utf8[offsets[0] : offsets[-1]], offsets - offsets[0])
            first = last

    def text(self) -> str:
        """Return the characters of all tweets, one tweet after the other."""
        return bytes(self.utf8).decode("utf-8", "surrogatepass")

    def code_points(self) -> npt.NDArray[np.uint32]:
        """Return the characters of all tweets as numbers, (characters,)."""
        return np.frombuffer(self.text().encode("utf-32-le", "surrogatepass"), dtype="<u4")

    def select(self, indices: Indices) -> FlatTweets:
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

    def compact(self, is_kept: Mask) -> FlatTweets:
        """Return the tweets of the mask `is_kept`, (tweets,), in the memory of this object, which becomes invalid."""
        offsets = np.zeros(np.count_nonzero(is_kept) + 1, dtype=np.int64)
        np.cumsum(np.diff(self.offsets)[is_kept], out=offsets[1:])
        end = 0
        for first, chunk in self.chunks():
            kept = chunk.utf8[np.repeat(is_kept[first : first + len(chunk)], np.diff(chunk.offsets))]
            self.utf8[end : end + len(kept)] = kept
            end += len(kept)
        return FlatTweets(self.utf8[:end], offsets)

    def char_lengths(self) -> Indices:
        """Return the number of characters of each tweet, (tweets,)."""
        lengths = np.zeros(len(self), dtype=np.int64)
        for first, chunk in self.chunks():
            before = np.concatenate(([0], np.cumsum((chunk.utf8 & 0xC0) != 0x80)))  # bytes that start a character
            lengths[first : first + len(chunk)] = np.diff(before[chunk.offsets])
        return lengths

    def char_counts(self) -> dict[str, int]:
        """Return the count of each character, the most frequent first."""
        counts = np.zeros(0, dtype=np.int64)
        for _, chunk in self.chunks():
            more = np.bincount(chunk.code_points(), minlength=len(counts))
            more[: len(counts)] += counts
            counts = more
        seen = np.flatnonzero(counts)
        return {chr(point): int(counts[point]) for point in seen[np.argsort(-counts[seen], kind="stable")]}


class FlatBuilder:
    """Builds a `FlatTweets`; never has more than `CHUNK_TWEETS` as Python strings."""

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


@dataclass(frozen=True, eq=False)
class EncodedTweets:
    """Tweets as token ids, in the smallest integer type that fits the vocabulary."""

    token_ids: npt.NDArray[np.integer]  # (all characters,)
    offsets: Indices  # (tweets + 1,): tweet i is token_ids[offsets[i]:offsets[i + 1]]

    @classmethod
    def from_flat(cls, tweets: FlatTweets, vocab: Vocab) -> EncodedTweets:
        """Encode `tweets` chunk by chunk; characters that `vocab` lacks become `UNK`."""
        offsets = np.concatenate(([0], np.cumsum(tweets.char_lengths())))
        token_ids = np.empty(offsets[-1], dtype=np.min_scalar_type(len(vocab)))
        for first, chunk in tweets.chunks():
            token_ids[offsets[first] : offsets[first + len(chunk)]] = vocab.encode_array(chunk.text())
        return cls(token_ids, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Indices:
        """Characters of each tweet without EOS, (tweets,)."""
        return np.diff(self.offsets)

    @property
    def num_targets(self) -> int:
        """Targets in total: every character, and one EOS per tweet."""
        return len(self.token_ids) + len(self)

    @property
    def num_unknown_chars(self) -> int:
        """Characters that the vocabulary lacks."""
        return int(np.count_nonzero(self.token_ids == UNK))

    def lengths_of(self, indices: Indices) -> Indices:
        """Return `lengths[indices]`, (B,), without those of all tweets, which would cost more than the batch."""
        return self.offsets[indices + 1] - self.offsets[indices]

    def batch(self, indices: Indices) -> CorpusBatch:
        """Return the tweets at `indices`, (B,), as one batch."""
        return CorpusBatch(self, indices)

    def padded(self, indices: Indices) -> tuple[Ids, Ids]:
        """Return inputs and targets of the tweets at `indices`, (B,), padded to the longest: (B, T + 1) each."""
        starts, lengths = self.offsets[indices], self.lengths_of(indices)
        columns = np.arange(lengths.max(initial=0))
        is_char = columns < lengths[:, None]  # (B, T)
        inputs = np.full((len(indices), len(columns) + 1), PAD, dtype=np.int64)
        inputs[:, 0] = BOS
        inputs[:, 1:][is_char] = self.token_ids[(starts[:, None] + columns)[is_char]]
        targets = np.full_like(inputs, PAD)
        targets[:, :-1] = inputs[:, 1:]
        targets[np.arange(len(indices)), lengths] = EOS
        return inputs, targets


class Batch:
    """Padded inputs and targets of B tweets; T is the length of the longest, in characters."""

    def __init__(self, inputs: Ids, targets: Ids, num_targets: int, total_targets: int = 0) -> None:
        """Use arrays of (B, T + 1); without `total_targets`, the batch is the whole step."""
        self.padded = inputs, targets
        self.num_tweets = len(targets)
        """B."""
        self.num_targets = num_targets
        """Targets without padding."""
        self.total_targets = total_targets or num_targets
        """Targets of the whole step, over all ranks and micro-batches, that the loss is a mean over."""

    @property
    def inputs(self) -> Ids:
        """BOS, characters, PAD: (B, T + 1)."""
        return self.padded[0]

    @property
    def targets(self) -> Ids:
        """Characters, EOS, PAD: (B, T + 1)."""
        return self.padded[1]

    def part(self, tweets: slice) -> Batch:
        """Return some of the tweets, as a part of the same step."""
        inputs, targets = self.inputs[tweets], self.targets[tweets]
        return Batch(inputs, targets, int(np.count_nonzero(targets != PAD)), self.total_targets)


class CorpusBatch(Batch):
    """Tweets of a corpus; padded on first access, since a GPU gathers them from its own copy of the corpus."""

    def __init__(self, tweets: EncodedTweets, rows: Indices, total_targets: int = 0, total_columns: int = 0) -> None:
        """Use the tweets at `rows`, (B,); without `total_targets` and `total_columns`, they are the whole step."""
        lengths = tweets.lengths_of(rows)
        self.tweets = tweets
        self.rows = rows
        self.num_tweets = len(rows)
        self.num_columns = int(lengths.max(initial=0)) + 1
        """T + 1."""
        self.num_targets = int(lengths.sum()) + len(rows)
        self.total_columns = total_columns or self.num_columns
        """T + 1 of the whole step, of which this may be a part."""
        self.total_targets = total_targets or self.num_targets

    @cached_property
    def padded(self) -> tuple[Ids, Ids]:  # type: ignore[override] # mypy takes it for read-only
        """Inputs and targets."""
        return self.tweets.padded(self.rows)
