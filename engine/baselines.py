"""Bits per character of uniform, unigram and Witten-Bell n-gram models, by the rule of `engine.training.evaluation`.

The models are nested: each order interpolates its counts with the order below, down to the unigram, which interpolates
with the uniform distribution. So every symbol always has a positive probability, and probabilities sum to one. A tweet
starts after n - 1 times `BOS`; its `EOS` is predicted like any character.

A context of length n is the pair of the index of its last n - 1 characters and the character before them. Pairs are
numbered in sorted order, and looked up in a table where that is small, else by binary search: so no vocabulary is too
large, and nothing is hashed. Only the contexts of the tweets to predict get an index, as no others are needed.

The tweets to predict are processed in large chunks, with one pass over the training tweets for each. Memory is bounded
by the n-grams that start with a context of the chunk, about 0.6 GB for 90 million training characters.

Measured figures are cached: one small JSON file per training tweets, validation tweets and vocabulary. A damaged entry,
or one of another version, is a miss. The cache never fails a run: its errors are logged.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.corpus.encoded_tweets import EncodedTweets
from engine.errors import StorageError
from engine.model.vocab import BOS, EOS, UNKNOWN_CHAR_BITS, Vocab
from engine.progress import OnProgress, Pieces, no_progress, part_of, run_to_end
from engine.protocol import codec
from engine.storage.files import remove_stale_temporaries, write_atomically
from engine.storage.folders import cache_folder

LOG = logging.getLogger(__name__)
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
HIGHEST_ORDER = 7
NAMES = ("uniform", "unigram", *(f"witten_bell_{order}" for order in range(2, HIGHEST_ORDER + 1)))
_HELD_OUT_TARGETS = 1 << 23
_TRAIN_TARGETS = 1 << 20
PIECE_TARGETS = 1 << 13
"""Training targets to count in a few milliseconds."""
LOOKUP_TABLE_SIZE = 1 << 23
"""Entries of a `PairLookup`, of 4 bytes each."""
_SORTED_TOGETHER = 1 << 16
"""Minimum size of a new run: smaller runs take more time in total, larger ones more time at once."""
COUNT_TABLE_SIZE = 1 << 21
"""Entries of a `ValueCounter`, of 8 bytes each. Adding to a table is some 20 times as fast as sorting."""
_ENTRIES_PER_VALUE = 4
"""Of a table, at most, for the values that are added to it together."""
CACHE_VERSION = 1
"""Incremented when the same tweets would give other figures, or the format of an entry changes."""
MAX_CACHE_ENTRIES = 64
"""Beyond this, the least recently used entries are deleted."""


@dataclass(frozen=True)
class TokenStream:
    """Concatenated tweets, each with some `BOS` before it and an `EOS` after it."""

    token_ids: IntArray  # (tokens,), with `BOS` and `EOS`
    positions: IntArray  # (targets,)
    """Positions of the targets: every character and every `EOS`."""

    @classmethod
    def of(cls, tweets: EncodedTweets, first: int, last: int, num_bos: int) -> TokenStream:
        """Concatenate the tweets `first` to `last` (exclusive), each after `num_bos` times `BOS`."""
        offsets = tweets.offsets[first : last + 1]
        shifts = (
            num_bos + (num_bos + 1) * np.arange(last - first) - offsets[0]
        )  # of each tweet's characters in the stream
        at = np.arange(offsets[0], offsets[-1]) + np.repeat(shifts, np.diff(offsets))
        token_ids = np.full(len(at) + (num_bos + 1) * len(shifts), BOS, dtype=np.int64)
        is_target = np.zeros(len(token_ids), dtype=np.bool_)
        token_ids[at] = tweets.token_ids[offsets[0] : offsets[-1]]
        token_ids[offsets[1:] + shifts] = EOS
        is_target[at] = is_target[offsets[1:] + shifts] = True
        return cls(token_ids, np.flatnonzero(is_target))


def token_streams(tweets: EncodedTweets, num_targets: int, num_bos: int) -> Iterator[TokenStream]:
    """Yield all tweets in order, in streams of about `num_targets` targets, at least one whole tweet each."""
    ends = tweets.offsets + np.arange(len(tweets.offsets))  # targets before each tweet
    first = 0
    while first < len(tweets):
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + num_targets, side="right")) - 1)
        yield TokenStream.of(tweets, first, last, num_bos)
        first = last


class PairLookup:
    """Finds the indices of integers in a sorted array."""

    def __init__(self, distinct: IntArray, limit: int) -> None:
        """`distinct` is sorted; all integers are from 0 to below `limit`."""
        self.distinct = distinct
        self._table: npt.NDArray[np.int32] | None = None
        if limit <= LOOKUP_TABLE_SIZE:
            self._table = np.full(limit, -1, dtype=np.int32)
            self._table[distinct] = np.arange(len(distinct))

    def indices_of(self, values: IntArray) -> IntArray:
        """Return the index of each of `values`, (values,); -1 where there is none."""
        if self._table is not None:
            return self._table[values].astype(np.int64)
        found = np.minimum(np.searchsorted(self.distinct, values), len(self.distinct) - 1)
        return np.where(self.distinct[found] == values, found, -1)


class Contexts:
    """Contexts of 0 to some characters in one stream."""

    def __init__(self, vocab_size: int) -> None:
        """Start with the empty context."""
        self._vocab_size = vocab_size
        self._lookups: list[PairLookup] = []

    @classmethod
    def of(cls, stream: TokenStream, longest: int, vocab_size: int) -> Pieces[Contexts]:
        """Index the contexts of `stream`, whose tweets each follow `longest` times `BOS`."""
        contexts = cls(vocab_size)
        indices = np.zeros(len(stream.positions), dtype=np.int64)
        for length in range(1, longest + 1):
            pairs = indices * vocab_size + stream.token_ids[stream.positions - length]
            distinct, indices = np.unique(pairs, return_inverse=True)
            contexts._lookups.append(PairLookup(distinct, contexts.num_contexts[-1] * vocab_size))
            yield
        return contexts

    @property
    def num_contexts(self) -> list[int]:
        """Number of contexts of each length, from 0 on."""
        return [1, *(len(lookup.distinct) for lookup in self._lookups)]

    def lookup(self, stream: TokenStream) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield, for each length from 0 on, the targets of `stream` with a known context and the contexts' indices.

        Both (known,); the targets are token ids, in order.
        """
        positions, indices = stream.positions, np.zeros(len(stream.positions), dtype=np.int64)
        yield stream.token_ids[positions], indices
        for length, lookup in enumerate(self._lookups, start=1):
            found = lookup.indices_of(indices * self._vocab_size + stream.token_ids[positions - length])
            is_known = found >= 0
            positions, indices = positions[is_known], found[is_known]
            yield stream.token_ids[positions], indices


class ValueCounter:
    """Counts of integers in a table, or in sorted arrays, whose memory grows with the number of distinct values."""

    def __init__(self, limit: int) -> None:
        """Start without counts; all values are from 0 to below `limit`."""
        self._table = np.zeros(limit, dtype=np.int64) if limit <= COUNT_TABLE_SIZE else None
        self._counted_together = max(_SORTED_TOGETHER, 0 if self._table is None else limit // _ENTRIES_PER_VALUE)
        self._waiting: list[IntArray] = []
        self._runs: list[tuple[IntArray, IntArray]] = []

    def add(self, values: IntArray) -> None:
        """Count all `values`, once enough wait to be counted together."""
        self._waiting.append(values)
        if sum(map(len, self._waiting)) >= self._counted_together:
            self._count_waiting()

    def _count_waiting(self) -> None:
        """Count the waiting values."""
        values = np.concatenate(self._waiting)
        self._waiting.clear()
        if self._table is None:
            self._sort(values)
        else:
            self._table += np.bincount(values, minlength=len(self._table))

    def _sort(self, values: IntArray) -> None:
        """Sort values into a run. Runs are merged once they are less than twice the size of the next."""
        self._runs.append(np.unique(values, return_counts=True))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            self._merge_last_two()

    def finish(self) -> tuple[IntArray, IntArray]:
        """Return the distinct values in order, and their counts."""
        if self._waiting:
            self._count_waiting()
        if self._table is not None:
            values = np.flatnonzero(self._table)
            return values, self._table[values]
        while len(self._runs) > 1:
            self._merge_last_two()
        return self._runs[0] if self._runs else (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))

    def _merge_last_two(self) -> None:
        """Merge the last two sorted runs."""
        (values, counts), (more_values, more_counts) = self._runs[-2:]
        values = np.concatenate([values, more_values])
        order = np.argsort(values, kind="stable")  # a stable sort detects the two sorted runs and merges them
        values, counts = values[order], np.concatenate([counts, more_counts])[order]
        starts = np.flatnonzero(np.diff(values, prepend=-1))
        self._runs[-2:] = [(values[starts], np.add.reduceat(counts, starts) if len(starts) else counts)]


@dataclass(frozen=True)
class NgramCounts:
    """Counts of the characters that follow each context of one length in the training tweets."""

    vocab_size: int
    grams: IntArray  # (distinct n-grams,): context * vocab_size + next character, sorted
    counts: IntArray  # (distinct n-grams,)
    totals: FloatArray  # (contexts,): occurrences of each context
    num_distinct: FloatArray  # (contexts,): distinct characters after it

    @classmethod
    def of(cls, counter: ValueCounter, num_contexts: int, vocab_size: int) -> NgramCounts:
        """Build from the counted n-grams, each context * vocab_size + next character."""
        grams, counts = counter.finish()
        contexts = grams // vocab_size
        totals = np.bincount(contexts, weights=counts, minlength=num_contexts).astype(np.float64)
        num_distinct = np.bincount(contexts, minlength=num_contexts).astype(np.float64)
        return cls(vocab_size, grams, counts, totals, num_distinct)

    def interpolated(self, shorter: FloatArray, contexts: IntArray, targets: IntArray) -> FloatArray:
        """Return the probability of each target after its context, given that after the context one character shorter.

        p(w | h) = (c(h w) + T(h) p(w | h')) / (c(h) + T(h)), where T(h) is the number of distinct characters after h:
        Witten and Bell (1991), method C, in the interpolated form of Chen and Goodman (1998, TR-10-98). An unseen
        context has the probability of the shorter one. All arrays (targets,).
        """
        grams = contexts * self.vocab_size + targets
        indices = np.searchsorted(self.grams, grams)
        is_known = indices < len(self.grams)
        is_known[is_known] = self.grams[indices[is_known]] == grams[is_known]
        probabilities = self.num_distinct[contexts] * shorter
        probabilities[is_known] += self.counts[indices[is_known]]
        weights = self.totals[contexts] + self.num_distinct[contexts]
        return np.divide(probabilities, weights, out=shorter.copy(), where=weights > 0)


def baseline_bits(
    train: EncodedTweets, held_out: EncodedTweets, vocab_size: int, on_progress: OnProgress = no_progress
) -> dict[str, float]:
    """Return the bits per character of each baseline in `NAMES` on `held_out`, which must not be empty.

    Every target counts; a character outside the vocabulary costs its `<UNK>` plus 20 bits.
    """
    return run_to_end(baseline_pieces(train, held_out, vocab_size, on_progress, _TRAIN_TARGETS))


def baseline_pieces(
    train: EncodedTweets,
    held_out: EncodedTweets,
    vocab_size: int,
    on_progress: OnProgress = no_progress,
    piece_targets: int = PIECE_TARGETS,
    highest_order: int = HIGHEST_ORDER,
) -> Pieces[dict[str, float]]:
    """Do the work of `baseline_bits` in pieces, of about `piece_targets` training targets each.

    The baselines of the orders above `highest_order` are left out.
    """
    longest = highest_order - 1
    bits = dict.fromkeys(NAMES[: highest_order + 1], held_out.num_unknown_chars * UNKNOWN_CHAR_BITS)
    num_done = 0
    for chunk in token_streams(held_out, _HELD_OUT_TARGETS, longest):
        contexts = yield from Contexts.of(chunk, longest, vocab_size)
        counters = [ValueCounter(num_contexts * vocab_size) for num_contexts in contexts.num_contexts]
        begin, num_done = num_done, num_done + len(chunk.positions)
        on_count_progress = part_of(on_progress, begin / held_out.num_targets, num_done / held_out.num_targets)
        for num_counted in _count(token_streams(train, piece_targets, longest), contexts, counters, vocab_size):
            on_count_progress(num_counted / train.num_targets, "counting n-grams")
            yield
        for name, probabilities in zip(bits, _probabilities(chunk, contexts, counters, vocab_size), strict=True):
            bits[name] -= float(np.log2(probabilities).sum())
            yield
    return {name: total / held_out.num_targets for name, total in bits.items()}


def _count(
    train: Iterator[TokenStream], contexts: Contexts, counters: list[ValueCounter], vocab_size: int
) -> Iterator[int]:
    """Count the characters after the contexts of each length; yield the number of training targets done."""
    num_done = 0
    for piece in train:
        for counter, (targets, indices) in zip(counters, contexts.lookup(piece), strict=True):
            counter.add(indices * vocab_size + targets)
        num_done += len(piece.positions)
        yield num_done


def _probabilities(
    stream: TokenStream, contexts: Contexts, counters: list[ValueCounter], vocab_size: int
) -> Iterator[FloatArray]:
    """Yield the probability of each target of `stream`, (targets,), for each baseline in the order of `NAMES`."""
    probabilities = np.full(len(stream.positions), 1 / vocab_size)
    yield probabilities
    known = zip(counters, contexts.num_contexts, contexts.lookup(stream), strict=True)
    for counter, num_contexts, (targets, indices) in known:
        counts = NgramCounts.of(counter, num_contexts, vocab_size)
        probabilities = counts.interpolated(probabilities, indices, targets)
        yield probabilities


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A file of the cache."""

    names: tuple[str, ...]
    bits_per_char: tuple[float, ...]
    checksum: int


def baselines_key(train_digest: str, held_out: EncodedTweets, vocab: Vocab) -> str:
    """Return the key of the baselines of training tweets, by the digest of their corpus, on `held_out`."""
    digest = hashlib.sha256(f"{CACHE_VERSION} {train_digest} {len(held_out)}\n".encode())
    digest.update("".join(vocab.chars).encode("utf-8", "surrogatepass"))
    digest.update(held_out.offsets.astype("<i8").tobytes())
    digest.update(held_out.token_ids.astype("<i8").tobytes())
    return digest.hexdigest()


def load_baselines(key: str, names: tuple[str, ...]) -> dict[str, float] | None:
    """Return the bits per character of the baselines stored under `key`; None unless these are `names`."""
    path = _path(key)
    try:
        entry = codec.decode(path.read_bytes(), _Entry)
    except FileNotFoundError:
        return None
    except (OSError, codec.DecodeError) as error:
        LOG.warning("baselines in the cache can't be used: %s", error)
        return None
    if entry != _entry_of(dict(zip(entry.names, entry.bits_per_char, strict=False))) or entry.names != names:
        LOG.warning("baselines in the cache can't be used: they are damaged")
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of last use, for the limit on entries
    return dict(zip(names, entry.bits_per_char, strict=True))


def store_baselines(key: str, bits: dict[str, float]) -> None:
    """Store the bits per character of baselines under `key`; errors are logged."""
    path = _path(key)
    try:
        remove_stale_temporaries(path.parent)
        write_atomically(path, codec.encode(_entry_of(bits)).encode())
        for old in sorted(path.parent.glob("*.json"), key=_last_use, reverse=True)[MAX_CACHE_ENTRIES:]:
            old.unlink(missing_ok=True)
    except (OSError, StorageError) as error:
        LOG.warning("baselines can't be stored in the cache: %s", error)


def _entry_of(bits: dict[str, float]) -> _Entry:
    """Return the entry with the checksum of its names and figures."""
    checksum = zlib.crc32(np.array(list(bits.values()), "<f8").tobytes(), zlib.crc32(" ".join(bits).encode()))
    return _Entry(names=tuple(bits), bits_per_char=tuple(bits.values()), checksum=checksum)


def _last_use(path: Path) -> float:
    return path.stat().st_mtime


def _path(key: str) -> Path:
    return cache_folder() / "baselines" / f"{key}.json"
