"""`Columns`: a history with one entry per column of a plot, and a smoothed line through it, robust to spikes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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

    def smoothed(self) -> Floats:
        """Return a smoothed line through the means, robust to a single spike; NaN where a column is empty.

        A running median over 5 filled columns, then a triangular average over 9. Both are centred, so the line doesn't
        lag behind a fall, and a new value changes only its last few points.
        """
        line = np.full(len(self.mean), np.nan)
        is_filled = self.count > 0
        if is_filled.any():
            line[is_filled] = _averaged(_running_median(self.mean[is_filled]))
        return line


def columns_of(steps: Sequence[int], values: Sequence[float], first_step: int, last_step: int, count: int) -> Columns:
    """Return a few values at rising steps in `count` columns; those outside of the range are clipped to its ends."""
    positions = np.clip(np.asarray(steps, np.int64), first_step, last_step)
    return in_columns(
        single_buckets(positions, np.asarray(values, np.float64)), positions, first_step, last_step, count
    )


def in_columns(pieces: Buckets, middles: NDArray[Any], first_step: int, last_step: int, num_columns: int) -> Columns:
    """Return buckets in columns, each entirely in the column that contains its middle step."""
    num_steps = max(last_step - first_step + 1, 1)
    filled = pieces.merged_by(((middles - first_step) * num_columns / num_steps).astype(np.int64))
    low, high, mean = (np.full(num_columns, np.nan) for _ in range(3))
    count = np.zeros(num_columns, np.int64)
    low[filled.numbers], high[filled.numbers], count[filled.numbers] = filled.low, filled.high, filled.count
    mean[filled.numbers] = filled.total / filled.count
    return Columns(low, high, mean, count)


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
