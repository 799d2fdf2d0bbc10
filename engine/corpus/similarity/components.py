"""Joins tweets that have a hash in common, with bounded memory: groups are the connected components of that.

Each tweet has many hashes, and most occur once. A first look at all of them marks which may be repeated, in a table of
bits of a quarter to half the texts' size. A second look collects only those and sorts them; where they are too many,
it takes several pool, each over a range of hash values, and forgets what it has joined whenever its buffer is full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.similarity.rolling_hash import Hashes, Indices, chunks_of
from engine.corpus.similarity.sorted_sets import BitTable
from engine.protocol.stage import OnProgress

MIN_BUFFER_HASHES = 1 << 22
BYTES_PER_BUFFER_HASH = 64
"""Of text, for each hash that is collected before they are sorted and joined: about 40 bytes of memory."""

Fingerprints = Callable[[FlatTweets], tuple[Hashes, Indices]]
"""The hashes of some tweets, and for each the number of its tweet among them."""


def join_alike(
    tweets: FlatTweets,
    labels: Indices,
    fingerprints: Fingerprints,
    on_progress: OnProgress,
    doing: str,
    buffer_hashes: int | None = None,
) -> Indices:
    """Return `labels` with the groups joined whose tweets have a fingerprint in common.

    A label is the smallest number of a tweet in its group, before and after. `doing` is what is reported with the
    progress.
    """
    labels = labels.copy()
    buffer_hashes = buffer_hashes or max(MIN_BUFFER_HASHES, tweets.utf8.size // BYTES_PER_BUFFER_HASH)
    repeats = _Repeats(tweets)
    for share, hashes, _owners in _scan(tweets, fingerprints):
        repeats.note(np.sort(hashes))
        on_progress(share / 2, doing)
    repeats.seal()
    num_passes = max(1, -(-2 * repeats.num_repeated // buffer_hashes))
    bounds = [(number << 64) // num_passes for number in range(num_passes + 1)]
    for number in range(num_passes):
        low, high = np.uint64(bounds[number]), np.uint64(bounds[number + 1] - 1)
        buffer = _Buffer(labels, buffer_hashes)
        for share, hashes, owners in _scan(tweets, fingerprints):
            is_taken = repeats.may_hold(hashes)
            if num_passes > 1:
                is_taken &= (hashes >= low) & (hashes <= high)
            buffer.append(hashes[is_taken], owners[is_taken])
            on_progress(0.5 + (number + share) / num_passes / 2, doing)
        buffer.join()
    return labels


def _scan(tweets: FlatTweets, fingerprints: Fingerprints) -> Iterator[tuple[float, Hashes, Indices]]:
    """Yield how much is done, the hashes of some tweets and the tweets that they belong to."""
    for first, chunk in chunks_of(tweets):
        hashes, owners = fingerprints(chunk)
        yield (first + len(chunk)) / len(tweets), hashes, owners + first


class _Repeats:
    """Which hashes may have occurred twice: never wrong for one that has, seldom for one that has not."""

    def __init__(self, tweets: FlatTweets) -> None:
        """Size the tables for the at most 0.5 hashes that a byte of text gives."""
        self._seen = BitTable(2 * tweets.utf8.size)
        self._repeated = BitTable(2 * tweets.utf8.size)
        self.num_repeated = 0

    def note(self, hashes: Hashes) -> None:
        """Take in some hashes, sorted."""
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

    def seal(self) -> None:
        """Give back the memory that only `note` needs."""
        del self._seen

    def may_hold(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Return which hashes may have occurred more than once, (hashes,)."""
        return self._repeated.has(self._repeated.slots(hashes))


class _Buffer:
    """Collects hashes and their tweets, and joins those tweets of which the hashes are equal."""

    def __init__(self, labels: Indices, size: int) -> None:
        """Join in `labels`, in place."""
        self._labels = labels
        self._size = size
        self._parts: list[tuple[Hashes, Indices]] = []
        self._count = 0

    def append(self, hashes: Hashes, owners: Indices) -> None:
        """Take some hashes and the tweet of each."""
        self._parts.append((hashes, owners.astype(np.uint32) if len(self._labels) < 1 << 32 else owners))
        self._count += len(hashes)
        if self._count >= self._size:
            self.join()

    def join(self) -> None:
        """Join what has been collected; of each hash, one tweet is kept to join later ones to."""
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
        self._size = max(self._size, 2 * self._count)  # or a nearly full buffer would be sorted at every append


def join_pairs(labels: Indices, ones: npt.NDArray[np.integer], others: npt.NDArray[np.integer]) -> None:
    """Join, in place, the groups of each tweet in `ones` and of that at the same place in `others`.

    Each round hangs every group onto its smallest neighbour and shortens all chains (Shiloach and Vishkin 1982), so
    that the number of rounds grows with the logarithm of the longest path at most.
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
