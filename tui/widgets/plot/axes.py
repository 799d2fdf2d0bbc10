"""The axes of the loss plot: limits and ticks. Pure functions of numbers.

Limits move rarely and by a lot. In between, a redraw changes only the newest columns: calm to look at, and cheap over a
slow connection. Limits and ticks of the y axis (`LossAxis`) are chosen together: each tick is a round number in the
middle of a row, an even number of rows from the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from tui.run.series import Floats
from tui.text.numbers import format_steps_tick

_MIN_SPAN = 100
_SPAN_GROWTH = 1.25
_MIN_COLUMNS_TO_CUT = 30
_BODY_QUANTILE, _BODY_MARGIN = 0.97, 0.25
_MIN_CUT_GAIN = 1.5
"""Peaks exceed the axis only if the rest then gets this many times the height."""
_MAX_STRETCH = 2.0
"""How many times the height that a curve needs an axis may have to show the level below it."""
_MAX_SLACK = 1.4
"""An axis is kept while it spans at most this many times what a new one would."""
_ROWS_FOR_TWO_TICKS = 5
"""From this height on, an axis has at least two ticks."""
_TICKS_PER_ROOT = 1.35
"""How many ticks there should be, per square root of the rows."""
_SPACING_COST, _SINGLE_TICK_COST, _DECIMAL_COST = 0.35, 0.75, 0.04
"""Costs of twice or half as many ticks, of a single tick, and of a digit, in units of the height that is wasted."""
_FACTORS = (1.0, 2.0, 2.5, 5.0)
_LOG_FACTORS = (1.0, 2.0, 2.5, 10 / 3, 5.0)
"""A third of a decade is a tick at 1, 2, 5, 10; a half, at 1, 3, 10."""
_LABEL_TOLERANCE = 0.4
"""How many rows a logarithmic tick may be away from the number that labels it."""
_MAX_LOG_DECIMALS = 6


@dataclass(frozen=True)
class Limits:
    """The two ends of an axis."""

    low: float
    high: float

    @property
    def span(self) -> float:
        return self.high - self.low


def step_limits(first_step: int, last_step: int) -> Limits:
    """Return the x axis of a run, with room for steps to come.

    The limit grows by a quarter at a time: after the first 100 steps at least about four fifths of the width are used.
    """
    low, span = max(first_step - 1, 0), float(_MIN_SPAN)
    while span < last_step - low:
        span *= _SPAN_GROWTH
    digit = 10.0 ** (math.floor(math.log10(span)) - 1)
    return Limits(low, low + math.ceil(span / digit) * digit)


def step_ticks(limits: Limits, max_ticks: int) -> list[tuple[float, str]]:
    """Return at most `max_ticks` round steps between the limits, or one more if both are round, and their labels.

    Labels are "1k", or in full if that is not exact.
    """
    interval = next(_intervals(max(limits.span / max_ticks, 1.0), is_log=False))
    first, last = math.ceil(limits.low / interval - 1e-9), math.floor(limits.high / interval + 1e-9)
    ticks = [round(number * interval, 12) for number in range(first, last + 1)]
    is_short = all(float(f"{tick:.4g}") == tick for tick in ticks)
    return [(tick, format_steps_tick(tick) if is_short else f"{tick:,.0f}") for tick in ticks]


def loss_range(columns_low: Floats, columns_high: Floats, others: Floats, target: float | None = None) -> Limits:
    """Return the positions that the y axis has to show of the filled columns of a curve; `others` are always inside.

    These are all positions, except where a few columns (the initial drop, a spike) would squash the rest: then it ends
    above 97 % of the columns and those slightly higher, and the plot marks the columns beyond. A lower `target` is
    inside if it leaves the curve enough height.
    """
    low, high = float(columns_low.min()), float(columns_high.max())
    if len(columns_high) >= _MIN_COLUMNS_TO_CUT:
        body = float(np.quantile(columns_high, _BODY_QUANTILE))
        if high - low > _MIN_CUT_GAIN * (body - low):
            high = float(columns_high[columns_high <= body + _BODY_MARGIN * (body - low)].max())
    low, high = float(min([low, *others])), float(max([high, *others]))
    if target is not None and high - low < high - target <= _MAX_STRETCH * (high - low):
        low = target
    return Limits(low, max(high, low + max(0.01, 1e-6 * abs(low))))


@dataclass(frozen=True)
class LossAxis:
    """Limits and ticks for a number of rows; positions are logarithms on a logarithmic axis."""

    num_rows: int
    interval: float
    """The distance between two ticks, which are at multiples of it."""
    rows_per_tick: int
    is_log: bool = False
    top: int = 0
    """The position in the middle of the highest row, in rows from 0."""

    @property
    def row(self) -> float:
        """What a row spans."""
        return self.interval / self.rows_per_tick

    @property
    def limits(self) -> Limits:
        """The positions of the upper and the lower edge."""
        return Limits((self.top - self.num_rows + 0.5) * self.row, (self.top + 0.5) * self.row)

    @property
    def tick_rows(self) -> range:
        """The rows of the ticks, from the top."""
        return range(self.top % self.rows_per_tick, self.num_rows, self.rows_per_tick)

    @property
    def decimals(self) -> int:
        """The decimals of a linear interval."""
        return next(
            digits for digits in range(20) if abs(round(self.interval, digits) - self.interval) < 1e-9 * self.interval
        )

    @property
    def ticks(self) -> list[tuple[int, str]]:
        """Row and label of each tick, from the top."""
        positions = [(row, (self.top - row) // self.rows_per_tick * self.interval) for row in self.tick_rows]
        if self.is_log:
            return [(row, self._log_label(position)) for row, position in positions]
        return [(row, f"{position:.{self.decimals}f}") for row, position in positions]

    def row_of(self, position: float) -> int | None:
        """Return the row of a position; None if it is outside of the limits."""
        if not self.fits(position, position):
            return None
        return min(int((self.limits.high - position) / self.row), self.num_rows - 1)

    def fits(self, low: float, high: float) -> bool:
        """Return whether both positions are inside."""
        limits = self.limits
        return limits.low <= low and high <= limits.high

    def _log_label(self, position: float) -> str:
        """Return the loss at a tick with as few digits as leave it in the tick's row."""
        tolerance = _LABEL_TOLERANCE * self.row
        labels = [f"{10.0**position:.{digits}e}" for digits in range(_MAX_LOG_DECIMALS)]
        near = (label for label in labels if abs(math.log10(float(label)) - position) <= tolerance)
        label = next(near, labels[-1])
        return f"{float(label):g}" if float(label) >= 0.001 else label.replace("e-0", "e-")


def loss_axis(low: float, high: float, num_rows: int, before: LossAxis | None, *, is_log: bool) -> LossAxis:
    """Return an axis of at least 3 rows that contains two positions: `before` while it fits without much slack."""

    def cost(axis: LossAxis) -> float:
        """Return how unsuitable an axis is: height that is wasted, ticks too many or too few, digits."""
        spacing = abs(math.log2(axis.rows_per_tick * _TICKS_PER_ROOT / math.sqrt(num_rows)))
        digits = 0 if is_log else axis.decimals
        wasted = axis.limits.span / (high - low) + _SPACING_COST * spacing + _DECIMAL_COST * digits
        return wasted + (_SINGLE_TICK_COST if len(axis.tick_rows) == 1 else 0.0)

    tightest = [
        _tightest(low, high, num_rows, per_tick, is_log=is_log) for per_tick in range(2, max(num_rows // 2, 3) + 1)
    ]
    found = min(tightest, key=cost)
    if before is None or (before.num_rows, before.is_log) != (num_rows, is_log) or not before.fits(low, high):
        return found
    return before if before.limits.span <= _MAX_SLACK * found.limits.span else found


def _tightest(low: float, high: float, num_rows: int, rows_per_tick: int, *, is_log: bool) -> LossAxis:
    """Return the axis of the smallest round interval that contains both positions, the lowest first: a loss falls."""
    min_ticks = 2 if num_rows >= _ROWS_FOR_TWO_TICKS else 1
    for interval in _intervals((high - low) / num_rows * rows_per_tick, is_log=is_log):
        row = interval / rows_per_tick
        lowest_top, highest_top = math.ceil(high / row - 0.5 - 1e-9), math.floor(low / row - 0.5 + 1e-9) + num_rows
        if not is_log:  # no row is below 0
            lowest_top, highest_top = max(lowest_top, num_rows - 1), max(highest_top, num_rows - 1)
        for top in range(lowest_top, highest_top + 1):
            axis = LossAxis(num_rows, interval, rows_per_tick, is_log, top)
            if len(axis.tick_rows) >= min_ticks:
                return axis
    raise AssertionError


def _intervals(rough: float, *, is_log: bool) -> Iterator[float]:
    """Yield round intervals from `rough` on; of a logarithmic axis, whole decades or parts of one."""
    for power in count(math.floor(math.log10(rough))):
        for factor in _LOG_FACTORS if is_log else _FACTORS:
            interval = factor * 10.0**power
            if interval >= rough * (1 - 1e-9) and (not is_log or interval <= 1 or interval == round(interval)):
                yield interval
