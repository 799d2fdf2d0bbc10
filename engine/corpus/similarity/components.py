"""Connected components of tweets that share a hash, with bounded memory. Never looks at the texts.

Each tweet has many hashes, and most occur once. A first pass marks the hashes that may be repeated, in bit tables of a
quarter to half the texts' size. Further passes collect and sort only those: as many as needed, each over a range of
hash values, and a full buffer is joined and reduced to one tweet per hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.similarity.rolling_hash import Hashes, Indices, chunks_of
from engine.corpus.similarity.sorted_sets import BitTable
from engine.progress import OnProgress

MIN_BUFFER_HASHES = 1 << 22
BYTES_PER_BUFFER_HASH = 64
"""Bytes of text per hash in the buffer, where a hash takes about 40 bytes."""

Fingerprints = Callable[[FlatTweets], tuple[Hashes, Indices]]
"""Returns the hashes of some tweets, (hashes,), and the index of each one's tweet, (hashes,)."""


def join_similar(
    tweets: FlatTweets,
    labels: Indices,
    fingerprints: Fingerprints,
    on_progress: OnProgress,
    doing: str,
    buffer_hashes: int | None = None,
) -> Indices:
    """Return `labels`, (tweets,), with the groups merged whose tweets share a fingerprint.

    A label is the smallest index of a tweet in the group, before and after. `doing` is the text of the progress.
    """
    labels = labels.copy()
    buffer_hashes = buffer_hashes or max(MIN_BUFFER_HASHES, tweets.utf8.size // BYTES_PER_BUFFER_HASH)
    repeats = _Repeats(tweets)
    for share, hashes, _owners in _scan(tweets, fingerprints):
        repeats.add(np.sort(hashes))
        on_progress(share / 2, doing)
    repeats.finish()
    num_passes = max(1, -(-2 * repeats.num_repeated // buffer_hashes))
    bounds = [(number << 64) // num_passes for number in range(num_passes + 1)]
    for number in range(num_passes):
        low, high = np.uint64(bounds[number]), np.uint64(bounds[number + 1] - 1)
        buffer = _Buffer(labels, buffer_hashes)
        for share, hashes, owners in _scan(tweets, fingerprints):
            is_selected = repeats.may_contain(hashes)
            if num_passes > 1:
                is_selected &= (hashes >= low) & (hashes <= high)
            buffer.append(hashes[is_selected], owners[is_selected])
            on_progress(0.5 + (number + share) / num_passes / 2, doing)
        buffer.join()
    return labels


def _scan(tweets: FlatTweets, fingerprints: Fingerprints) -> Iterator[tuple[float, Hashes, Indices]]:
    """Yield the share done, the hashes of a chunk of tweets, and the index of each one's tweet."""
    for first, chunk in chunks_of(tweets):
        hashes, owners = fingerprints(chunk)
        yield (first + len(chunk)) / len(tweets), hashes, owners + first


class _Repeats:
    """The set of hashes that may occur twice: no false negatives, few false positives."""

    def __init__(self, tweets: FlatTweets) -> None:
        """Size the tables for at most 0.5 hashes per byte of text."""
        self._seen = BitTable(2 * tweets.utf8.size)
        self._repeated = BitTable(2 * tweets.utf8.size)
        self.num_repeated = 0

    def add(self, hashes: Hashes) -> None:
        """Add sorted hashes."""
        slots = self._seen.slots(hashes)
        is_new = np.ones(len(slots) + 1, dtype=np.bool_)
        is_new[1:-1] = slots[1:] != slots[:-1]
        is_alone = is_new[1:][is_new[:-1]]
        slots = slots[is_new[:-1]]
        repeated = slots[~is_alone | self._seen.has(slots)]
        repeated = repeated[~self._repeated.has(repeated)]
        self.num_repeated += len(repeated)
        self._seen.add(slots)
        self._repeated.add(repeated)

    def finish(self) -> None:
        """Free the memory that only `add` needs."""
        del self._seen

    def may_contain(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Return the mask of the hashes that may occur more than once, (hashes,)."""
        return self._repeated.has(self._repeated.slots(hashes))


class _Buffer:
    """Collects hashes with their tweets, and merges the groups of tweets with equal hashes."""

    def __init__(self, labels: Indices, size: int) -> None:
        """`labels` is changed in place."""
        self._labels = labels
        self._size = size
        self._parts: list[tuple[Hashes, Indices]] = []
        self._count = 0

    def append(self, hashes: Hashes, owners: Indices) -> None:
        """Append hashes and the index of each one's tweet; join if the buffer is full."""
        self._parts.append((hashes, owners.astype(np.uint32) if len(self._labels) < 1 << 32 else owners))
        self._count += len(hashes)
        if self._count >= self._size:
            self.join()

    def join(self) -> None:
        """Merge the groups, and keep one tweet per hash, to which later ones are joined."""
        if not self._count:
            return
        hashes = np.concatenate([part[0] for part in self._parts])
        owners = np.concatenate([part[1] for part in self._parts])
        self._parts.clear()
        order = np.argsort(hashes)
        hashes, owners = hashes[order], owners[order]
        is_repeated = hashes[1:] == hashes[:-1]
        join_pairs(self._labels, owners[:-1][is_repeated], owners[1:][is_repeated])
        is_first = np.concatenate(([True], ~is_repeated))
        self._parts.append((hashes[is_first], owners[is_first]))
        self._count = int(np.count_nonzero(is_first))
        self._size = max(self._size, 2 * self._count)  # else a nearly full buffer would be sorted at every append


def join_pairs(labels: Indices, ones: npt.NDArray[np.integer], others: npt.NDArray[np.integer]) -> None:
    """Merge, in place, the groups of the tweets `ones[i]` and `others[i]` for all i.

    Each round attaches every group to its smallest neighbour and compresses all paths (Shiloach and Vishkin 1982): the
    number of rounds is at most logarithmic in the longest path.
    """
    one_labels, other_labels = labels[ones], labels[others]
    while True:
        is_apart = one_labels != other_labels
        if not is_apart.any():
            return
        one_labels, other_labels = one_labels[is_apart], other_labels[is_apart]
        np.minimum.at(labels, np.maximum(one_labels, other_labels), np.minimum(one_labels, other_labels))
        while True:
            shorter = labels[labels]
            if np.array_equal(shorter, labels):
                break
            labels[:] = shorter
        one_labels, other_labels = labels[one_labels], labels[other_labels]
