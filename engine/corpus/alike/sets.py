"""Sets of hashes as sorted arrays: they can lie in a file, and are looked up without being read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.corpus.alike.hashing import Hashes, Indices

_PART = 1 << 20


def distinct(hashes: Hashes) -> Hashes:
    """Return the distinct hashes, sorted, in the memory of `hashes`, which is used up."""
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


def places_in(known: Hashes, hashes: Hashes) -> Indices:
    """Return where in `known`, sorted, each hash is if it is there; elsewhere the place means nothing."""
    return np.minimum(np.searchsorted(known, hashes), max(0, len(known) - 1))


def are_in(known: Hashes, hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Return which hashes are in `known`, sorted."""
    if not len(known):
        return np.zeros(len(hashes), dtype=np.bool_)
    is_in: npt.NDArray[np.bool_] = known[places_in(known, hashes)] == hashes
    return is_in
