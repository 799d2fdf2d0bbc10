"""What many texts share with one, by runs of three bytes: one pass over all bytes, compiled by Numba.

`key = (key << 5) ^ byte`, of which 15 bits are kept: what came three bytes before has left it by then, and a lower-case
letter differs from another in the five bits that are its own. No branch depends on the text, which would cost more than
all else: the pass takes about 1.5 nanoseconds a byte, and with a branch three times that.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.fast.kernels import compiled

_SHIFT, _KEPT = np.uint32(5), np.uint32(0x7FFF)


def _shared_runs(
    utf8: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint16],
    last_seen: npt.NDArray[np.int32],
    shares: npt.NDArray[np.float32],
) -> None:
    num_wanted = len(last_seen) - 1
    for text in range(len(offsets) - 1):
        start, end = np.uint64(offsets[text]), np.uint64(offsets[text + 1])  # unsigned: no index counts from the end
        last_seen[0] = text  # what is no wanted run is never new
        key = np.uint32(0)
        count = 0
        for place in range(start, end):
            key = ((key << _SHIFT) ^ np.uint32(utf8[place])) & _KEPT
            number = table[key]
            count += last_seen[number] != text
            last_seen[number] = text
        shares[text] = count / max(1.0, num_wanted + float(end - start) - 2.0 - count)


shared_runs = compiled(_shared_runs)
"""(utf8, offsets, table, last_seen, shares): of the runs that `table` (keys,) numbers from 1 on, count how many
different ones each text holds, and write their share of the runs in both to `shares` (texts,). `last_seen`
(numbers + 1,) begins at -1."""
