"""`BitTable`: which of many hashes may be in a set, one bit a slot (Bloom 1970, with one hash function)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.corpus.alike.hashing import Hashes

_MIN_BITS = 16


class BitTable:
    """A set of slots; a hash's slot is in its first bits, so that sorted hashes have sorted slots."""

    def __init__(self, num_slots: int) -> None:
        """Begin empty, with at least `num_slots`."""
        num_bits = max(_MIN_BITS, num_slots.bit_length())
        self._shift = np.uint64(64 - num_bits)
        self._table = np.zeros(1 << (num_bits - 3), dtype=np.uint8)

    def slots(self, hashes: Hashes) -> Hashes:
        """Return the slot of each hash."""
        slots: Hashes = hashes >> self._shift
        return slots

    def has(self, slots: Hashes) -> npt.NDArray[np.bool_]:
        """Return which slots are in the set."""
        is_in: npt.NDArray[np.bool_] = (self._table[slots >> np.uint64(3)] & _bit(slots)) != 0
        return is_in

    def add(self, slots: Hashes) -> None:
        """Put in some slots, which are sorted."""
        if not len(slots):
            return
        places = slots >> np.uint64(3)
        starts = np.flatnonzero(np.concatenate((np.ones(1, dtype=np.bool_), places[1:] != places[:-1])))
        self._table[places[starts]] |= np.bitwise_or.reduceat(_bit(slots), starts)


def _bit(slots: Hashes) -> npt.NDArray[np.uint8]:
    """Return the bit of each slot within its byte."""
    return np.left_shift(np.uint8(1), (slots & np.uint64(7)).astype(np.uint8))
