"""Where a plot's axes begin, end and have their ticks, and where its band runs. Pure functions of numbers.

Limits keep still: they move seldom and by a lot, so that between two moves a redraw changes only the newest columns.
That makes a live curve calm to look at and cheap to send through a slow connection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tui.series import Columns, Floats

_MIN_SPAN = 100
_SPAN_GROWTH = 1.25
_ROOM = 1.4
"""Limits are kept until the values would do with a range this many times smaller."""
_MIN_COLUMNS_TO_CUT = 60
_BODY_QUANTILE = 0.97
_WORTH_CUTTING = 1.5
"""Peaks leave through the top only where the rest then gets this many times the height."""


@dataclass(frozen=True)
class Limits:
    """The two ends of an axis."""

    low: float
    high: float

    @property
    def span(self) -> float:
        """How far apart they are."""
        return self.high - self.low


def nice_interval(span: float, max_intervals: int) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that divides `span` into so many pieces or fewer."""
    rough = span / max(max_intervals, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9))


def nice_ticks(limits: Limits, max_ticks: int, min_interval: float = 0.0) -> list[float]:
    """Return at most `max_ticks` round numbers between the limits, or one more where both limits are round."""
    interval = max(nice_interval(limits.span, max_ticks), min_interval)
    first, last = math.ceil(limits.low / interval - 1e-9), math.floor(limits.high / interval + 1e-9)
    return [round(number * interval, 12) for number in range(first, last + 1)]


def tick_decimals(ticks: list[float]) -> int:
    """Return how many decimals tell the ticks apart, the same for all of them."""
    for decimals in range(4):
        if all(abs(round(tick, decimals) - tick) < 1e-9 for tick in ticks):
            return decimals
    return 4


def step_limits(first_step: int, last_step: int) -> Limits:
    """Return the x axis of a run: from just before its first step to a limit that the curve soon grows to.

    The limit moves by a quarter at a time, so past the first 100 steps about four fifths of the width or more are used.
    """
    low = max(first_step - 1, 0)
    span = float(_MIN_SPAN)
    while span < last_step - low:
        span *= _SPAN_GROWTH
    digit = 10.0 ** (math.floor(math.log10(span)) - 1)
    return Limits(low, low + math.ceil(span / digit) * digit)


def loss_limits(columns_low: Floats, columns_high: Floats, others: Floats, before: Limits | None) -> Limits:
    """Return the y axis for the filled columns of a curve, and for `others`, which must be in it.

    The lowest value is always in it, and so is the highest, except where a few columns (the first fall from an
    untrained model's loss, a spike) would squash all the rest: then the axis ends above the other 97 % of the columns,
    and the plot marks what leaves through the top.
    """
    low, high = float(columns_low.min()), float(columns_high.max())
    if len(columns_high) >= _MIN_COLUMNS_TO_CUT:
        body = float(np.quantile(columns_high, _BODY_QUANTILE))
        if high - low > _WORTH_CUTTING * (body - low):
            high = body
    low, high = float(min([low, *others])), float(max([high, *others]))
    return _kept_still(low, max(high, low + 0.01), before)


def _kept_still(low: float, high: float, before: Limits | None) -> Limits:
    """Return `before` while it holds both values without much room to spare, else round limits around them."""
    interval = nice_interval(high - low, 14)
    rounded = Limits(max(math.floor(low / interval), 0) * interval, math.ceil(high / interval) * interval)
    if before is not None and before.low <= low and high <= before.high and before.span <= _ROOM * rounded.span:
        return before
    return rounded


def zigzag(columns: Columns) -> tuple[Floats, Floats]:
    """Return a line that goes up one filled column and down the next, so that it covers every low and high between."""
    filled = np.flatnonzero(columns.count)
    values = np.stack([columns.low[filled], columns.high[filled]], axis=1)
    values[1::2] = values[1::2, ::-1]
    return np.repeat(columns.step_mid[filled], 2), values.reshape(-1)
