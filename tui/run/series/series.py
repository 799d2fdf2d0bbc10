"""`Series`: the history of one value by step, bounded however long the run, without losing a spike.

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

from tui.run.series.buckets import Buckets, Floats, Ints, single_buckets
from tui.run.series.columns import Columns, in_columns

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
