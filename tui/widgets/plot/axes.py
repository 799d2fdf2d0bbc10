"""The x axis of the loss plot, the scale of losses, and which of them the y axis shows. Pure functions of numbers.

Limits move rarely and by a lot. In between, a redraw changes only the newest columns: calm to look at, and cheap over a
slow connection.

`LossAxis`: the y axis. Limits and ticks are chosen together, so that ticks are an even number of rows apart. Pure.

Each tick is a round number in the middle of a row. Like the x axis, limits move rarely and by a lot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tui.run.series import Floats
from tui.text.numbers import NATS_PER_UNIT, LossUnit, format_steps_tick

_LOWEST_LOG_LOSS = 1e-6
"""Lowest loss on a log scale, which has no place for 0."""
_MIN_SPAN = 100
_SPAN_GROWTH = 1.25
_MIN_COLUMNS_TO_CUT = 30
_BODY_QUANTILE = 0.97
_BODY_MARGIN = 0.25
_MIN_CUT_GAIN = 1.5
"""Peaks exceed the axis only if the rest then gets this many times the height."""
_MAX_STRETCH = 2.0
"""How many times the height that a curve needs an axis may have to show the level below it."""


@dataclass(frozen=True)
class Limits:
    """The two ends of an axis."""

    low: float
    high: float

    @property
    def span(self) -> float:
        """Their distance."""
        return self.high - self.low


def nice_interval(span: float, max_intervals: int) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that gives at most `max_intervals`."""
    rough = span / max(max_intervals, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9))


def nice_ticks(limits: Limits, max_ticks: int, min_interval: float = 0.0) -> list[float]:
    """Return at most `max_ticks` round numbers between the limits, or one more if both limits are round."""
    interval = max(nice_interval(limits.span, max_ticks), min_interval)
    first, last = math.ceil(limits.low / interval - 1e-9), math.floor(limits.high / interval + 1e-9)
    return [round(number * interval, 12) for number in range(first, last + 1)]


@dataclass(frozen=True)
class LossScale:
    """The y axis: unit, linear or logarithmic."""

    unit: LossUnit = "bits"
    is_log: bool = False

    def heights(self, nats: Floats) -> Floats:
        """Return the position of losses in nats on the axis."""
        losses = nats / NATS_PER_UNIT[self.unit]
        return np.log10(np.maximum(losses, _LOWEST_LOG_LOSS)) if self.is_log else losses


def step_labels(ticks: list[float]) -> list[str]:
    """Return labels of steps: "1k", or in full if that is not exact."""
    is_short = all(float(f"{tick:.4g}") == tick for tick in ticks)
    return [format_steps_tick(tick) if is_short else f"{tick:,.0f}" for tick in ticks]


def step_limits(first_step: int, last_step: int) -> Limits:
    """Return the x axis of a run, with room for steps to come.

    The limit grows by a quarter at a time: after the first 100 steps at least about four fifths of the width are used.
    """
    low = max(first_step - 1, 0)
    span = float(_MIN_SPAN)
    while span < last_step - low:
        span *= _SPAN_GROWTH
    digit = 10.0 ** (math.floor(math.log10(span)) - 1)
    return Limits(low, low + math.ceil(span / digit) * digit)


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


_MAX_SLACK = 1.4
"""An axis is kept while it spans at most this many times what a new one would."""
_MIN_ROWS_PER_TICK = 2
_SINGLE_TICK_COST = 0.75
"""Of an axis with only one tick, in units of the height that is wasted."""
_ROWS_FOR_TWO_TICKS = 5
"""From this height on, an axis has at least two ticks."""
_TICKS_PER_ROOT = 1.35
"""How many ticks there should be, per square root of the rows."""
_SPACING_COST = 0.35
"""Of twice as many or half as many ticks, in units of the height that is wasted."""
_DECIMAL_COST = 0.04
_FACTORS = (1.0, 2.0, 2.5, 5.0)
_LOG_FACTORS = (1.0, 2.0, 2.5, 10 / 3, 5.0)
"""A third of a decade is a tick at 1, 2, 5, 10; a half, at 1, 3, 10."""
_LABEL_TOLERANCE = 0.4
"""How many rows a logarithmic tick may be away from the number that labels it."""
_MAX_LOG_DECIMALS = 6


@dataclass(frozen=True)
class LossAxis:
    """Limits and ticks for a number of rows; positions are logarithms on a logarithmic axis."""

    num_rows: int
    interval: float
    """Between two ticks, which are at its multiples."""
    rows_per_tick: int
    top: int
    """The position in the middle of the highest row, in units of a row."""
    is_log: bool = False

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
    def ticks(self) -> list[tuple[int, str]]:
        """Row and label of each tick, from the top."""
        rows = self.tick_rows
        numbers = [(self.top - row) // self.rows_per_tick for row in rows]
        if self.is_log:
            return [(row, self._log_label(number)) for row, number in zip(rows, numbers, strict=True)]
        decimals = _decimals(self.interval)
        return [(row, f"{number * self.interval:.{decimals}f}") for row, number in zip(rows, numbers, strict=True)]

    def row_of(self, position: float) -> int | None:
        """Return the row of a position; None if it is outside of the limits."""
        limits = self.limits
        if not limits.low <= position <= limits.high:
            return None
        return min(int((limits.high - position) / self.row), self.num_rows - 1)

    def fits(self, low: float, high: float) -> bool:
        """Return whether both positions are inside."""
        limits = self.limits
        return limits.low <= low and high <= limits.high

    def _log_label(self, number: int) -> str:
        """Return the loss at a tick with as few digits as leave it in the tick's row."""
        position, tolerance = number * self.interval, _LABEL_TOLERANCE * self.row
        labels = [f"{10.0**position:.{digits}e}" for digits in range(_MAX_LOG_DECIMALS)]
        errors = [abs(math.log10(float(label)) - position) for label in labels]
        label = next((label for label, error in zip(labels, errors, strict=True) if error <= tolerance), labels[-1])
        return f"{float(label):g}" if float(label) >= 0.001 else label.replace("e-0", "e-")


def loss_axis(low: float, high: float, num_rows: int, before: LossAxis | None, *, is_log: bool) -> LossAxis:
    """Return an axis of at least 3 rows that contains two positions: `before` while it fits without much slack."""
    found = min(_candidates(low, high, num_rows, is_log=is_log), key=lambda axis: _cost(axis, high - low))
    if before is None or (before.num_rows, before.is_log) != (num_rows, is_log) or not before.fits(low, high):
        return found
    return before if before.limits.span <= _MAX_SLACK * found.limits.span else found


def _candidates(low: float, high: float, num_rows: int, *, is_log: bool) -> Iterator[LossAxis]:
    """Yield the tightest axis for each number of rows between two ticks."""
    for rows_per_tick in range(_MIN_ROWS_PER_TICK, max(num_rows // 2, _MIN_ROWS_PER_TICK + 1) + 1):
        rough = (high - low) / num_rows * rows_per_tick
        fitting = (
            axis
            for interval in _intervals(rough, is_log=is_log)
            for axis in _placed(low, high, LossAxis(num_rows, interval, rows_per_tick, 0, is_log))
        )
        yield next(fitting)


def _placed(low: float, high: float, axis: LossAxis) -> Iterator[LossAxis]:
    """Yield the axis moved to where it contains both positions, the lowest first: a loss falls."""
    lowest_top = math.ceil(high / axis.row - 0.5 - 1e-9)
    highest_top = math.floor(low / axis.row - 0.5 + 1e-9) + axis.num_rows
    if not axis.is_log:  # no row is below 0
        lowest_top = max(lowest_top, axis.num_rows - 1)
        highest_top = max(highest_top, axis.num_rows - 1)
    for top in range(lowest_top, highest_top + 1):
        moved = LossAxis(axis.num_rows, axis.interval, axis.rows_per_tick, top, axis.is_log)
        if len(moved.tick_rows) >= (2 if axis.num_rows >= _ROWS_FOR_TWO_TICKS else 1):
            yield moved


def _intervals(rough: float, *, is_log: bool) -> Iterator[float]:
    """Yield round intervals from `rough` on; of a logarithmic axis, whole decades or parts of one."""
    power = math.floor(math.log10(rough))
    while True:
        for factor in _LOG_FACTORS if is_log else _FACTORS:
            interval = factor * 10.0**power
            is_round = not is_log or interval <= 1 or interval == round(interval)
            if interval >= rough * (1 - 1e-9) and is_round:
                yield interval
        power += 1


def _cost(axis: LossAxis, needed: float) -> float:
    """Return how unsuitable an axis is: height that is wasted, ticks too many or too few, digits."""
    spacing = abs(math.log2(axis.rows_per_tick * _TICKS_PER_ROOT / math.sqrt(axis.num_rows)))
    digits = 0 if axis.is_log else _decimals(axis.interval)
    cost = axis.limits.span / needed + _SPACING_COST * spacing + _DECIMAL_COST * digits
    return cost + (_SINGLE_TICK_COST if len(axis.tick_rows) == 1 else 0.0)


def _decimals(interval: float) -> int:
    """Return the decimals of a round interval."""
    return next(decimals for decimals in range(20) if abs(round(interval, decimals) - interval) < 1e-9 * interval)
