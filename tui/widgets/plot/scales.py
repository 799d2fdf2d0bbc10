"""The x axis of the loss plot, the scale of losses, and which of them the y axis shows. Pure functions of numbers.

Limits move rarely and by a lot. In between, a redraw changes only the newest columns: calm to look at, and cheap over a
slow connection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tui.formatting.loss_units import NATS_PER_UNIT, LossUnit
from tui.formatting.numbers import format_steps_tick
from tui.run.series.buckets import Floats

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
