"""Sets of hashes in memory: sorted arrays, `GrowingSet` of several, and `BitTable`, which allows false positives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.corpus.similarity.rolling_hash import Hashes, Indices

_PART = 1 << 20
_MIN_BITS = 16


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


def contains(known: Hashes, hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Return the mask of the hashes that are in the sorted `known`, (hashes,)."""
    if not len(known):
        return np.zeros(len(hashes), dtype=np.bool_)
    is_in: npt.NDArray[np.bool_] = known[find_in(known, hashes)] == hashes
    return is_in


class GrowingSet:
    """A set of hashes to which many are added at a time: sorted arrays, each more than twice as long as the next."""

    def __init__(self) -> None:
        self._arrays: list[Hashes] = []

    def contains(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
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
        slots: Hashes = hashes >> self._shift
        return slots

    def has(self, slots: Hashes) -> npt.NDArray[np.bool_]:
        """Return the mask of the slots that are set, (slots,)."""
        is_in: npt.NDArray[np.bool_] = (self._table[slots >> np.uint64(3)] & _bit(slots)) != 0
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
