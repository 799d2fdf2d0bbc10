"""Bits per character of uniform, unigram and Witten-Bell n-gram models, by the rule of `engine.training.evaluation`.

The models are nested: each order interpolates its counts with the order below, down to the unigram, which interpolates
with the uniform distribution. So every symbol always has a positive probability, and probabilities sum to one. A tweet
starts after n - 1 times `BOS`; its `EOS` is predicted like any character.

Contexts are the nodes of a tree: the root, 0, is the empty context, and a child has one more character before it. Only
the contexts of the tweets to predict are nodes. A hash table finds a child, another counts a character after a context;
the key of both is `node * V + token id`, so that no vocabulary is too large, and nothing collides.

The tweets to predict are processed in large chunks, with one pass over the training tweets for each. Memory is bounded
by the n-grams that start with a context of the chunk, about 0.3 GB for 90 million training characters.

Measured figures are cached: one small JSON file per training tweets, validation tweets and vocabulary. A damaged entry,
or one of another version, is a miss. The cache never fails a run: its errors are logged.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.compute.cpu.kernels import compiled, inlined
from engine.corpus.arrays import EncodedTweets
from engine.errors import StorageError
from engine.model.vocab import BOS, EOS, UNKNOWN_CHAR_BITS, Vocab
from engine.protocol import codec
from engine.protocol.progress import CooperativeTask, OnProgress, no_progress, part_of, run_to_end
from engine.storage.files import remove_stale_temporaries, write_atomically
from engine.storage.folders import cache_folder

LOG = logging.getLogger(__name__)
Ids = npt.NDArray[np.integer]
Numbers = npt.NDArray[np.int64]
HIGHEST_ORDER = 7
NAMES = ("uniform", "unigram", *(f"witten_bell_{order}" for order in range(2, HIGHEST_ORDER + 1)))
_CHUNK_TARGETS = 1 << 22
_PIECE_TARGETS = 1 << 11
"""Targets to process in a few milliseconds."""
_PIECE_ROWS = 1 << 15
"""Rows of a table to process in a few milliseconds."""
_LEAST_ROWS = 1 << 17
_FACTOR = 6364136223846793005  # odd, with bits everywhere: that of Knuth's MMIX generator
CACHE_VERSION = 2
"""Incremented when the same tweets would give other figures, or the format of an entry changes."""
MAX_CACHE_ENTRIES = 64
"""Beyond this, the least recently used entries are deleted."""


class Table(NamedTuple):
    """A hash table from keys, at least 0, to numbers, with open addressing and linear probing."""

    rows: Numbers  # (a power of two, 2): key and number, -1 and 0 in a free row
    num_keys: Numbers  # (1,)

    @classmethod
    def empty(cls, num_rows: int) -> Table:
        """Return a table without keys."""
        rows = np.zeros((num_rows, 2), dtype=np.int64)
        rows[:, 0] = -1
        return cls(rows, np.zeros(1, dtype=np.int64))

    def with_room(self, num_more: int) -> Table:
        """Return a table with the same keys that has a third of its rows free after `num_more` keys."""
        num_rows = len(self.rows)
        while 3 * (self.num_keys[0] + num_more) > 2 * num_rows:
            num_rows *= 2
        if num_rows == len(self.rows):
            return self
        larger = Table.empty(num_rows)
        insert_rows(self.rows, larger.rows)
        larger.num_keys[:] = self.num_keys
        return larger


# Compiled code --------------------------------------------------------------------------------------------------------
# Rows of tables, not tables; numbers assigned one by one; no new arrays: each of these takes seconds to compile.


def _row_of_key(key: int, rows: Numbers) -> int:
    """Return the index of the row of a key, or of the free one where it belongs."""
    last = len(rows) - 1
    row = (key * _FACTOR >> 32) & last
    while rows[row, 0] != key and rows[row, 0] >= 0:
        row = (row + 1) & last
    return row


_row_of = inlined(_row_of_key)


@compiled
def insert_rows(rows: Numbers, larger: Numbers) -> None:
    """Insert all rows of a table into a larger, empty one."""
    for row in range(len(rows)):
        key = rows[row, 0]
        if key >= 0:
            place = _row_of(key, larger)
            larger[place, 0] = key
            larger[place, 1] = rows[row, 1]


@compiled
def add_contexts(ids: Ids, offsets: Numbers, vocab_size: int, longest: int, tree: Numbers, num_nodes: Numbers) -> None:
    """Add the contexts of 1 to `longest` characters before each target of some tweets to the rows of the tree.

    `num_nodes` (1,) counts them.
    """
    for tweet in range(len(offsets) - 1):
        start = offsets[tweet]
        for at in range(start, offsets[tweet + 1] + 1):
            node = 0
            for before in range(at - 1, at - 1 - longest, -1):
                key = node * vocab_size + (ids[before] if before >= start else BOS)
                row = _row_of(key, tree)
                if tree[row, 0] < 0:
                    num_nodes[0] += 1
                    tree[row, 0] = key
                    tree[row, 1] = num_nodes[0]
                node = tree[row, 1]


@compiled
def count(
    ids: Ids,
    offsets: Numbers,
    vocab_size: int,
    longest: int,
    tree: Numbers,
    grams: Numbers,
    num_grams: Numbers,
    known: Numbers,
) -> None:
    """Count each target of some tweets after each of its contexts in the tree, in the rows of `grams`.

    `num_grams` (1,) counts the rows. `known` (2, targets) is memory for a tweet's targets that have a known context:
    where they are, and the context's node.

    One length after the other, not one target: a CPU overlaps the cache misses of look-ups that do not depend on each
    other, and takes half the time.
    """
    targets, nodes = known[0], known[1]
    for tweet in range(len(offsets) - 1):
        start, end = offsets[tweet], offsets[tweet + 1]
        num_known = end + 1 - start
        for index in range(num_known):
            targets[index] = start + index
            nodes[index] = 0
        for length in range(longest + 1):
            for index in range(num_known):
                at = targets[index]
                key = nodes[index] * vocab_size + (ids[at] if at < end else EOS)
                row = _row_of(key, grams)
                num_grams[0] += grams[row, 0] < 0
                grams[row, 0] = key
                grams[row, 1] += 1
            num_before, num_known = num_known if length < longest else 0, 0
            for index in range(num_before):
                before = targets[index] - 1 - length
                row = _row_of(nodes[index] * vocab_size + (ids[before] if before >= start else BOS), tree)
                targets[num_known] = targets[index]
                nodes[num_known] = tree[row, 1]
                num_known += tree[row, 0] >= 0


@compiled
def add_bits(
    ids: Ids,
    offsets: Numbers,
    vocab_size: int,
    tree: Numbers,
    grams: Numbers,
    totals: Numbers,
    bits: npt.NDArray[np.float64],
) -> None:
    """Add the surprisal of some tweets by each baseline to `bits` (baselines,), in the order of `NAMES`.

    `totals` (2, nodes) are the targets after each context, and the distinct ones.

    p(w | h) = (c(h w) + T(h) p(w | h')) / (c(h) + T(h)), where T(h) is the number of distinct characters after h, and
    h' is one character shorter: Witten and Bell (1991), method C, in the interpolated form of Chen and Goodman (1998,
    TR-10-98). An unseen context has the probability of the shorter one.
    """
    for tweet in range(len(offsets) - 1):
        start, end = offsets[tweet], offsets[tweet + 1]
        for at in range(start, end + 1):
            target = ids[at] if at < end else EOS
            node, probability = 0, 1 / vocab_size
            bits[0] -= math.log2(probability)
            for order in range(1, len(bits)):
                total, num_distinct = totals[0, node], totals[1, node]
                if total > 0:
                    row = _row_of(node * vocab_size + target, grams)
                    probability = (grams[row, 1] + num_distinct * probability) / (total + num_distinct)
                bits[order] -= math.log2(probability)
                before = at - order
                row = _row_of(node * vocab_size + (ids[before] if before >= start else BOS), tree)
                node = tree[row, 1]


# The work in pieces ---------------------------------------------------------------------------------------------------


def baseline_bits(
    train: EncodedTweets, held_out: EncodedTweets, vocab_size: int, on_progress: OnProgress = no_progress
) -> dict[str, float]:
    """Return the bits per character of each baseline in `NAMES` on `held_out`, which must not be empty.

    Every target counts; a character outside the vocabulary costs its `<UNK>` plus 20 bits.
    """
    return run_to_end(baseline_pieces(train, held_out, vocab_size, on_progress))


def baseline_pieces(
    train: EncodedTweets,
    held_out: EncodedTweets,
    vocab_size: int,
    on_progress: OnProgress = no_progress,
    highest_order: int = HIGHEST_ORDER,
) -> CooperativeTask[dict[str, float]]:
    """Do the work of `baseline_bits` in pieces; the baselines of the orders above `highest_order` are left out."""
    bits = np.zeros(1 + highest_order)
    num_done = 0
    for chunk in _parts(held_out.offsets, _CHUNK_TARGETS):
        tree, grams = Table.empty(_LEAST_ROWS), Table.empty(_LEAST_ROWS)
        for part in _parts(chunk, _PIECE_TARGETS):
            tree = tree.with_room(highest_order * _num_targets(part))
            add_contexts(held_out.token_ids, part, vocab_size, highest_order - 1, *tree)
            yield
        begin, num_done, num_counted = num_done, num_done + _num_targets(chunk), 0
        on_count_progress = part_of(on_progress, begin / held_out.num_targets, num_done / held_out.num_targets)
        for part in _parts(train.offsets, _PIECE_TARGETS):
            grams = grams.with_room(highest_order * _num_targets(part))
            known = np.empty((2, _num_targets(part)), dtype=np.int64)
            count(train.token_ids, part, vocab_size, highest_order - 1, tree.rows, *grams, known)
            num_counted += _num_targets(part)
            on_count_progress(num_counted / train.num_targets, "counting n-grams")
            yield
        totals = np.zeros((2, 1 + tree.num_keys[0]), dtype=np.int64)
        for first in range(0, len(grams.rows), _PIECE_ROWS):
            rows = grams.rows[first : first + _PIECE_ROWS]
            keys, counts = rows[rows[:, 0] >= 0].T
            np.add.at(totals[0], keys // vocab_size, counts)
            np.add.at(totals[1], keys // vocab_size, 1)
            yield
        for part in _parts(chunk, _PIECE_TARGETS):
            bits_of_part = np.zeros_like(bits)  # one long sum would lose digits
            add_bits(held_out.token_ids, part, vocab_size, tree.rows, grams.rows, totals, bits_of_part)
            bits += bits_of_part
            yield
    bits += held_out.num_unknown_chars * UNKNOWN_CHAR_BITS
    return dict(zip(NAMES, (bits / held_out.num_targets).tolist(), strict=False))


def _parts(offsets: Numbers, num_targets: int) -> Iterator[Numbers]:
    """Yield the offsets of tweets in parts of about so many targets, at least one whole tweet each."""
    ends = offsets + np.arange(len(offsets))  # targets before each tweet
    first = 0
    while first < len(offsets) - 1:
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + num_targets, side="right")) - 1)
        yield offsets[first : last + 1]
        first = last


def _num_targets(offsets: Numbers) -> int:
    """Return the number of targets, every character and one `EOS` each, of tweets with these offsets."""
    return int(offsets[-1] - offsets[0]) + len(offsets) - 1


@dataclass(frozen=True, kw_only=True)
class _Entry:
    bits_per_char: dict[str, float]
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
    if entry.checksum != _checksum(entry.bits_per_char) or tuple(entry.bits_per_char) != names:
        LOG.warning("baselines in the cache can't be used: they are damaged")
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of last use, for the limit on entries
    return entry.bits_per_char


def store_baselines(key: str, bits: dict[str, float]) -> None:
    """Store the bits per character of baselines under `key`; errors are logged."""
    path = _path(key)
    try:
        remove_stale_temporaries(path.parent)
        write_atomically(path, codec.encode(_Entry(bits_per_char=bits, checksum=_checksum(bits))).encode())
        entries = sorted(path.parent.glob("*.json"), key=lambda entry: entry.stat().st_mtime, reverse=True)
        for old in entries[MAX_CACHE_ENTRIES:]:
            old.unlink(missing_ok=True)
    except (OSError, StorageError) as error:
        LOG.warning("baselines can't be stored in the cache: %s", error)


def _checksum(bits: dict[str, float]) -> int:
    return zlib.crc32(repr(bits).encode())


def _path(key: str) -> Path:
    return cache_folder() / "baselines" / f"{key}.json"
