"""`Buckets`: a history in intervals of steps, each as its lowest, highest, total and count. Immutable arrays.

`Columns`: a history with one entry per column of a plot, and a smoothed line through it, robust to spikes. Pure.

`Series`: the history of one value by step, bounded however long the run, without losing a spike.

Two views of the same values: the whole run as (low, high, total, count) per bucket of `stride` steps, and the latest
values in full. When the buckets become too many, neighbours merge and the stride doubles, so 5 million steps take about
200 KB. Immutable: `extended` and `truncated` return new series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Buckets:
    """Consecutive intervals of a history; bucket `n` contains the steps from `n * stride` up to the next bucket's."""

    numbers: Ints
    low: Floats
    high: Floats
    total: Floats
    count: Ints

    def __len__(self) -> int:
        """Return the number of buckets; empty ones are not stored."""
        return len(self.numbers)

    def __getitem__(self, inside: slice) -> Buckets:
        """Return a slice of the buckets."""
        return Buckets(
            self.numbers[inside], self.low[inside], self.high[inside], self.total[inside], self.count[inside]
        )

    def concatenate(self, other: Buckets) -> Buckets:
        """Return these buckets followed by the others, not merged at the seam."""
        return Buckets(
            np.concatenate([self.numbers, other.numbers]),
            np.concatenate([self.low, other.low]),
            np.concatenate([self.high, other.high]),
            np.concatenate([self.total, other.total]),
            np.concatenate([self.count, other.count]),
        )

    def numbered_by(self, numbers: Ints) -> Buckets:
        """Return these buckets with other numbers."""
        return Buckets(numbers, self.low, self.high, self.total, self.count)

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


def single_buckets(numbers: Ints, values: Floats) -> Buckets:
    """Return one bucket per value."""
    return Buckets(numbers, values, values, values, np.ones(len(values), np.int64))


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


MAX_BUCKETS = 2048
WINDOW_LENGTH = 8192
_FINER_BELOW_STRIDES = 4
"""Columns narrower than this many buckets are filled from the window, as far back as it reaches."""
_TRIMMED_MEAN_LENGTH = 100
_TRIMMED_MEAN_SHARE = 5


@dataclass(frozen=True, eq=False)
class Series:
    """The history of one value, starting with `Series.empty()`. Thread-safe, as it is immutable."""

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

    @property
    def last(self) -> float | None:
        """The latest value; where the window is empty, the mean of the latest bucket."""
        return float(self._window_values[-1]) if len(self._window_values) else self._last_mean

    def trimmed_mean_from(self, first_step: int) -> float | None:
        """Return the current value without noise and spikes: the mean of the middle four fifths of the latest values.

        The latest 100 of those from `first_step` on, or the latest fifth while a run has fewer than 500, so that it
        follows the first fall; where the window has none, the mean of the latest bucket. None if that begins earlier.
        """
        _, singles = self.singles(first_step)
        num_singles = len(singles)
        if not num_singles:
            is_after = len(self) and max(self._buckets.numbers[-1] * self.stride, self.first_step) >= first_step
            return self._last_mean if is_after else None
        is_first_fall = num_singles == len(self)  # else it began after buckets
        length = max(num_singles // _TRIMMED_MEAN_SHARE, 1) if is_first_fall else num_singles
        length = min(length, _TRIMMED_MEAN_LENGTH)
        latest = np.sort(singles[-length:])
        cut = length // 10
        return float(latest[cut : length - cut].mean())

    @property
    def _last_mean(self) -> float | None:
        """The mean of the latest bucket."""
        return float(self._buckets.total[-1] / self._buckets.count[-1]) if len(self._buckets) else None

    def extended(self, first_step: int, values: Sequence[float]) -> Series:
        """Return this series with `values` appended, one for each step from `first_step` on.

        Steps may be missing between two calls (a skipped step has no loss); an existing step is replaced.
        """
        return self.extended_at(np.arange(first_step, first_step + len(values), dtype=np.int64), values)

    def extended_at(self, steps: Ints, values: Sequence[float]) -> Series:
        """Return this series with `values` appended at these rising steps, as `extended` does."""
        if not len(steps):
            return self
        if len(self._buckets) and steps[0] <= self.last_step:
            return self.truncated(int(steps[0]) - 1).extended_at(steps, values)
        added = np.asarray(values, np.float64)
        stride, buckets = self._buckets_with(self.stride, single_buckets(steps, added))
        return Series(
            stride,
            buckets,
            np.concatenate([self._window_steps, steps])[-WINDOW_LENGTH:],
            np.concatenate([self._window_values, added])[-WINDOW_LENGTH:],
            self.first_step if len(self._buckets) else int(steps[0]),
            int(steps[-1]),
        )

    def extended_by_buckets(self, added: Buckets, last_steps: Ints) -> Series:
        """Return this series with buckets appended that a journal has in place of single values.

        The numbers of `added` are their first steps; both they and the last steps rise. The window begins anew after
        them, and the stride becomes that of the widest of them at least.
        """
        if not len(added):
            return self
        first_step = int(added.numbers[0])
        if len(self._buckets) and first_step <= self.last_step:
            return self.truncated(first_step - 1).extended_by_buckets(added, last_steps)
        stride = self.stride
        while stride <= int((last_steps - added.numbers).max()):
            stride *= 2
        stride, buckets = self._buckets_with(stride, added)
        return Series(
            stride,
            buckets,
            self._window_steps[:0],
            self._window_values[:0],
            self.first_step if len(self._buckets) else first_step,
            int(last_steps[-1]),
        )

    def _buckets_with(self, stride: int, added: Buckets) -> tuple[int, Buckets]:
        """Return the buckets with the `added` ones, which are numbered by step, and their stride: at least `stride`."""
        buckets = self._buckets.merged_by(self._buckets.numbers // (stride // self.stride))
        grown = buckets[-1:].concatenate(added.numbered_by(added.numbers // stride))
        buckets = buckets[:-1].concatenate(grown.merged_by(grown.numbers))
        while len(buckets) > MAX_BUCKETS:
            stride *= 2
            buckets = buckets.merged_by(buckets.numbers // 2)
        return stride, buckets

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
        whole = self._buckets[: int(np.searchsorted(self._buckets.numbers, cut_number))]
        cut_start = cut_number * self.stride
        if len(self._window_steps) and self._window_steps[0] <= max(cut_start, self.first_step):
            in_cut = int(np.searchsorted(steps, cut_start))
            rest = single_buckets(steps[in_cut:] // self.stride, values[in_cut:])
            rest = rest.merged_by(rest.numbers)
        else:
            rest = self._cut_bucket(len(whole), last_step)
        buckets = whole.concatenate(rest)
        last_kept = int(steps[-1]) if len(steps) else min(last_step, (int(buckets.numbers[-1]) + 1) * self.stride - 1)
        return Series(self.stride, buckets, steps, values, self.first_step, last_kept)

    def _cut_bucket(self, index: int, last_step: int) -> Buckets:
        """Return the bucket at `index` cut after `last_step`; no bucket where it starts later."""
        cut = self._buckets[index : index + 1]
        if not len(cut) or cut.numbers[0] != last_step // self.stride:
            return self._buckets[:0]
        start = max(int(cut.numbers[0]) * self.stride, self.first_step)
        count = np.minimum(cut.count, last_step - start + 1)
        return Buckets(cut.numbers, cut.low, cut.high, cut.total / cut.count * count, count)

    def singles(self, first_step: int) -> tuple[Ints, Floats]:
        """Return the steps and values from `first_step` on, within the window of single values."""
        begin = int(np.searchsorted(self._window_steps, first_step))
        return self._window_steps[begin:], self._window_values[begin:]

    def near(self, step: int) -> float | None:
        """Return the value at `step` or the nearest to it; before the window, the mean of its bucket."""
        if not len(self):
            return None
        if len(self._window_steps) and step >= self._window_steps[0]:
            return float(self._window_values[_nearest(self._window_steps, step)])
        starts = np.maximum(self._buckets.numbers * self.stride, self.first_step)
        index = _nearest((starts + np.minimum(starts + self.stride - 1, self.last_step)) / 2, step)
        return float(self._buckets.total[index] / self._buckets.count[index])

    def columns(self, first_step: int, last_step: int, num_columns: int) -> Columns:
        """Return the values from `first_step` to `last_step` (inclusive) in `num_columns` columns of equal width.

        A bucket is entirely in the column of its middle, so every low and high in the range is in some column.
        """
        column_width = max(last_step - first_step + 1, 1) / num_columns
        buckets, begins, ends = self._fine_buckets(column_width, first_step, last_step)
        return in_columns(buckets, begins, ends, first_step, last_step, num_columns)

    def _fine_buckets(self, column_width: float, first_step: int, last_step: int) -> tuple[Buckets, Ints, Ints]:
        """Return the buckets of that range, fine enough for such columns, and the first and last step of each."""
        buckets = self._buckets
        starts = buckets.numbers * self.stride
        window = buckets[:0]
        if self.stride > 1 and column_width < _FINER_BELOW_STRIDES * self.stride and len(self._window_steps):
            num_coarse = int(np.searchsorted(starts, self._window_steps[0]))
            from_step = starts[num_coarse] if num_coarse < len(starts) else self.last_step + 1
            begin = int(np.searchsorted(self._window_steps, from_step))
            window = single_buckets(self._window_steps[begin:], self._window_values[begin:])
            buckets, starts = buckets[:num_coarse], starts[:num_coarse]
        begins = np.concatenate([np.maximum(starts, self.first_step), window.numbers])
        ends = np.concatenate([np.minimum(starts + self.stride - 1, self.last_step), window.numbers])
        finest = buckets.concatenate(window)
        inside = slice(*np.searchsorted(ends, [first_step]), *np.searchsorted(begins, [last_step], side="right"))
        return finest[inside], begins[inside], ends[inside]


def _nearest(positions: NDArray[Any], step: int) -> int:
    """Return the index of the nearest to a step of some rising positions, at least one."""
    after = min(int(np.searchsorted(positions, step)), len(positions) - 1)
    is_before_nearer = after > 0 and step - positions[after - 1] < positions[after] - step
    return after - 1 if is_before_nearer else after
