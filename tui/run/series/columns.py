"""`Columns`: a history with one entry per column of a plot, and a smoothed line through it, robust to spikes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tui.run.series.buckets import Buckets, Floats, Ints, single_buckets

_MEDIAN_LENGTH = 5
_AVERAGE_WEIGHTS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0])


@dataclass(frozen=True, eq=False)
class Columns:
    """One entry per column of a plot, NaN (and a count of 0) where the column has no value."""

    low: Floats
    high: Floats
    mean: Floats
    count: Ints
    is_gap: NDArray[np.bool_]
    """Which empty columns lie within steps without a value, as after a load of a later step."""

    def smoothed(self) -> Floats:
        """Return a smoothed line through the means, robust to a single spike; NaN where a column is empty.

        A running median over 5 filled columns, then a triangular average over 9, none of them across a gap. Both are
        centred, so the line doesn't lag behind a fall, and a new value changes only its last few points.
        """
        line = np.full(len(self.mean), np.nan)
        filled = np.flatnonzero(self.count)
        num_gaps_before = np.cumsum(self.is_gap)[filled]
        for part in np.split(filled, np.flatnonzero(np.diff(num_gaps_before)) + 1):
            if len(part):
                line[part] = _averaged(_running_median(self.mean[part]))
        return line


def columns_of(steps: Sequence[int], values: Sequence[float], first_step: int, last_step: int, count: int) -> Columns:
    """Return a few values at rising steps in `count` columns; those outside of the range are clipped to its ends."""
    positions = np.clip(np.asarray(steps, np.int64), first_step, last_step)
    pieces = single_buckets(positions, np.asarray(values, np.float64))
    return in_columns(pieces, positions, positions, first_step, last_step, count)


def in_columns(pieces: Buckets, begins: Ints, ends: Ints, first_step: int, last_step: int, num_columns: int) -> Columns:
    """Return buckets from and to these steps in columns, each entirely in the column that contains its middle step."""

    def column_of(steps: Ints | Floats) -> Ints:
        inside = np.clip(steps, first_step, last_step) - first_step
        return (inside * num_columns / max(last_step - first_step + 1, 1)).astype(np.int64)

    filled = pieces.merged_by(column_of((begins + ends) / 2))
    low, high, mean = (np.full(num_columns, np.nan) for _ in range(3))
    count = np.zeros(num_columns, np.int64)
    low[filled.numbers], high[filled.numbers], count[filled.numbers] = filled.low, filled.high, filled.count
    mean[filled.numbers] = filled.total / filled.count
    # where both sides of a break are in one column, -1 comes before +1: no gap
    breaks = np.flatnonzero(begins[1:] > ends[:-1] + 1)
    num_gaps = np.zeros(num_columns + 1, np.int64)
    np.add.at(num_gaps, column_of(ends[breaks]) + 1, 1)
    np.add.at(num_gaps, column_of(begins[breaks + 1]), -1)
    return Columns(low, high, mean, count, np.cumsum(num_gaps)[:-1] > 0)


def _running_median(values: Floats) -> Floats:
    """Return the median of each value and its two neighbours on either side, fewer at the ends."""
    reach = _MEDIAN_LENGTH // 2
    padded = np.pad(values, reach, constant_values=np.nan)
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(padded, _MEDIAN_LENGTH), axis=1)  # NaN goes to the end
    count = _MEDIAN_LENGTH - np.isnan(windows).sum(axis=1)
    rows = np.arange(len(values))
    return np.asarray((windows[rows, (count - 1) // 2] + windows[rows, count // 2]) / 2)


def _averaged(values: Floats) -> Floats:
    """Return the triangular average around each value, over fewer values at the ends."""
    weights = np.convolve(np.ones(len(values)), _AVERAGE_WEIGHTS, "full")
    sums = np.convolve(values, _AVERAGE_WEIGHTS, "full")
    reach = len(_AVERAGE_WEIGHTS) // 2
    return np.asarray((sums / weights)[reach : reach + len(values)])
