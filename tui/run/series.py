"""`Series`: the history of one value by step, bounded however long the run, without losing a spike. Immutable.

Two views of the same values: the whole run as (low, high, total, count) per bucket of `stride` steps, and the latest
values in full. When the buckets become too many, neighbours merge and the stride doubles, so 5 million steps take about
200 KB. `Columns` are a part of it with one entry per column of a plot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_BUCKETS = 2048
WINDOW_LENGTH = 8192
_FINER_BELOW_STRIDES = 4
"""Columns narrower than this many buckets are filled from the window, as far back as it reaches."""
_TRIMMED_MEAN_LENGTH = 100
_TRIMMED_MEAN_SHARE = 5
_MEDIAN_LENGTH = 5
_AVERAGE_WEIGHTS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0])


@dataclass(frozen=True, eq=False)
class Buckets:
    """Consecutive intervals of steps; bucket `n` begins at step `n * stride`. Empty ones are not stored."""

    numbers: Ints
    low: Floats
    high: Floats
    total: Floats
    count: Ints

    @classmethod
    def of_singles(cls, numbers: Ints, values: Floats) -> Buckets:
        """Return one bucket per value."""
        return cls(numbers, values, values, values, np.ones(len(values), np.int64))

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, inside: slice) -> Buckets:
        return Buckets(*(values[inside] for values in vars(self).values()))

    def concatenate(self, other: Buckets) -> Buckets:
        """Return these buckets followed by the others, not merged at the seam."""
        return Buckets(*map(np.concatenate, zip(vars(self).values(), vars(other).values(), strict=True)))

    def merged_by(self, numbers: Ints) -> Buckets:
        """Merge the buckets with equal `numbers`, one for each bucket, in rising order."""
        if not len(self):
            return self
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
        return Buckets(
            numbers[starts],
            np.minimum.reduceat(self.low, starts),
            np.maximum.reduceat(self.high, starts),
            np.add.reduceat(self.total, starts),
            np.add.reduceat(self.count, starts),
        )


@dataclass(frozen=True, eq=False)
class Series:
    """The history of one value, starting with `Series.empty()`. For any thread, as it is immutable."""

    stride: int
    _buckets: Buckets
    _window_steps: Ints
    _window_values: Floats
    first_step: int
    """The first step with a value; 0 without any."""
    last_step: int
    """The last step with a value; 0 without any."""

    @classmethod
    def empty(cls) -> Series:
        """Return the series without a value."""
        ints, floats = np.empty(0, np.int64), np.empty(0, np.float64)
        return cls(1, Buckets(ints, floats, floats, floats, ints), ints, floats, 0, 0)

    def __len__(self) -> int:
        """Return the number of all values of the run."""
        return int(self._buckets.count.sum())

    def extended(self, first_step: int, values: Sequence[float]) -> Series:
        """Return this series with `values` appended, one for each step from `first_step` on."""
        return self.extended_at(np.arange(first_step, first_step + len(values), dtype=np.int64), values)

    def extended_at(self, steps: Ints, values: Sequence[float]) -> Series:
        """Return this series with `values` appended at these rising steps; existing steps from there on are replaced.

        Steps may be missing: a skipped one has no loss.
        """
        added = np.asarray(values, np.float64)
        return self.extended_by_buckets(Buckets.of_singles(steps, added), steps, added)

    def extended_by_buckets(self, added: Buckets, last_steps: Ints, values: Floats | None = None) -> Series:
        """Return this series with the buckets of single `values` appended, or those that a journal has in their place.

        The numbers of `added` are their first steps; both they and the last steps rise. The stride becomes that of the
        widest of them at least. Without `values`, the window is empty after them.
        """
        if not len(added):
            return self
        first_step = int(added.numbers[0])
        if len(self._buckets) and first_step <= self.last_step:
            return self.truncated(first_step - 1).extended_by_buckets(added, last_steps, values)
        stride = self.stride
        while stride <= int((last_steps - added.numbers).max()):
            stride *= 2
        buckets = self._buckets.merged_by(self._buckets.numbers // (stride // self.stride))
        grown = buckets[-1:].concatenate(replace(added, numbers=added.numbers // stride))
        buckets = buckets[:-1].concatenate(grown.merged_by(grown.numbers))
        while len(buckets) > MAX_BUCKETS:
            stride *= 2
            buckets = buckets.merged_by(buckets.numbers // 2)
        window_steps, window_values = self._window_steps[:0], self._window_values[:0]
        if values is not None:
            window_steps = np.concatenate([self._window_steps, last_steps])[-WINDOW_LENGTH:]
            window_values = np.concatenate([self._window_values, values])[-WINDOW_LENGTH:]
        first_step = self.first_step if len(self._buckets) else first_step
        return Series(stride, buckets, window_steps, window_values, first_step, int(last_steps[-1]))

    def truncated(self, last_step: int) -> Series:
        """Return this series without the values after `last_step`, as when a run goes back to a checkpoint.

        Exact within the window; before it, a bucket cut by `last_step` retains its low, high and mean.
        """
        if not len(self._buckets) or last_step >= self.last_step:
            return self
        if last_step < self.first_step:
            return Series.empty()
        kept = int(np.searchsorted(self._window_steps, last_step, side="right"))
        steps, values = self._window_steps[:kept], self._window_values[:kept]
        cut_number = last_step // self.stride
        cut_start = max(cut_number * self.stride, self.first_step)
        num_whole = int(np.searchsorted(self._buckets.numbers, cut_number))
        if len(self._window_steps) and self._window_steps[0] <= cut_start:
            in_cut = int(np.searchsorted(steps, cut_start))
            rest = Buckets.of_singles(steps[in_cut:] // self.stride, values[in_cut:])
            rest = rest.merged_by(rest.numbers)
        else:
            cut = self._buckets[num_whole : num_whole + 1]
            rest = cut[: np.count_nonzero(cut.numbers == cut_number)]
            count = np.minimum(rest.count, last_step - cut_start + 1)
            rest = replace(rest, total=rest.total / rest.count * count, count=count)
        buckets = self._buckets[:num_whole].concatenate(rest)
        last_kept = int(steps[-1]) if len(steps) else min(last_step, (int(buckets.numbers[-1]) + 1) * self.stride - 1)
        return Series(self.stride, buckets, steps, values, self.first_step, last_kept)

    @property
    def last(self) -> float | None:
        """The latest value; where the window is empty, the mean of the latest bucket."""
        return float(self._window_values[-1]) if len(self._window_values) else self._mean_of(-1)

    def _mean_of(self, index: int) -> float | None:
        """Return the mean of a bucket; None without any."""
        return float(self._buckets.total[index] / self._buckets.count[index]) if len(self._buckets) else None

    def singles(self, first_step: int) -> tuple[Ints, Floats]:
        """Return the steps and values from `first_step` on, within the window of single values."""
        begin = int(np.searchsorted(self._window_steps, first_step))
        return self._window_steps[begin:], self._window_values[begin:]

    def trimmed_mean_from(self, first_step: int) -> float | None:
        """Return the current value without noise and spikes: the mean of the middle four fifths of the latest values.

        The latest 100 of those from `first_step` on, or the latest fifth while a run has fewer than 500, so that it
        follows the first fall; where the window has none, the mean of the latest bucket. None if that begins earlier.
        """
        _, singles = self.singles(first_step)
        if not len(singles):
            is_after = len(self) and max(self._buckets.numbers[-1] * self.stride, self.first_step) >= first_step
            return self._mean_of(-1) if is_after else None
        is_first_fall = len(singles) == len(self)  # else the values before are in buckets only
        length = max(len(singles) // _TRIMMED_MEAN_SHARE, 1) if is_first_fall else len(singles)
        latest = np.sort(singles[-min(length, _TRIMMED_MEAN_LENGTH) :])
        cut = len(latest) // 10
        return float(latest[cut : len(latest) - cut].mean())

    def near(self, step: int) -> float | None:
        """Return the value at `step` or the nearest to it; before the window, the mean of its bucket."""
        if len(self._window_steps) and step >= self._window_steps[0]:
            return float(self._window_values[_nearest(self._window_steps, step)])
        starts = np.maximum(self._buckets.numbers * self.stride, self.first_step)
        middles = (starts + np.minimum(starts + self.stride - 1, self.last_step)) / 2
        return self._mean_of(_nearest(middles, step)) if len(self) else None

    def columns(self, first_step: int, last_step: int, num_columns: int) -> Columns:
        """Return the values from `first_step` to `last_step` (inclusive) in `num_columns` columns of equal width.

        A bucket is entirely in the column of its middle, so every low and high in the range is in some column.
        """
        buckets, window = self._buckets, self._buckets[:0]
        starts = buckets.numbers * self.stride
        column_width = max(last_step - first_step + 1, 1) / num_columns
        if self.stride > 1 and column_width < _FINER_BELOW_STRIDES * self.stride and len(self._window_steps):
            num_coarse = int(np.searchsorted(starts, self._window_steps[0]))
            from_step = int(starts[num_coarse]) if num_coarse < len(starts) else self.last_step + 1
            window = Buckets.of_singles(*self.singles(from_step))
            buckets, starts = buckets[:num_coarse], starts[:num_coarse]
        begins = np.concatenate([np.maximum(starts, self.first_step), window.numbers])
        ends = np.concatenate([np.minimum(starts + self.stride - 1, self.last_step), window.numbers])
        inside = slice(*np.searchsorted(ends, [first_step]), *np.searchsorted(begins, [last_step], side="right"))
        pieces = buckets.concatenate(window)[inside]
        return _in_columns(pieces, begins[inside], ends[inside], first_step, last_step, num_columns)


def _nearest(positions: NDArray[Any], step: int) -> int:
    """Return the index of the position nearest to `step`, the later one of two."""
    return len(positions) - 1 - int(np.abs(positions[::-1] - step).argmin())


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
    pieces = Buckets.of_singles(positions, np.asarray(values, np.float64))
    return _in_columns(pieces, positions, positions, first_step, last_step, count)


def _in_columns(
    pieces: Buckets, begins: Ints, ends: Ints, first_step: int, last_step: int, num_columns: int
) -> Columns:
    """Return buckets from and to these steps in columns, each entirely in the column that contains its middle step."""

    def column_of(steps: NDArray[Any]) -> Ints:
        inside = np.clip(steps, first_step, last_step) - first_step
        return np.asarray(inside * num_columns / max(last_step - first_step + 1, 1), np.int64)

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
    padded = np.pad(values, _MEDIAN_LENGTH // 2, constant_values=np.nan)
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
