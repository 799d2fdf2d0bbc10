"""Axis limits and ticks of the loss plot, and the scale of the y axis. Pure functions of numbers.

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
_LOG_TICK_FACTORS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
"""Multiples of a power of ten that ticks may be, the sparsest first."""
_ENOUGH_LOG_TICKS = 4
_MIN_SPAN = 100
_SPAN_GROWTH = 1.25
_MAX_SLACK = 1.4
"""Limits are kept while they span at most this many times what the values need."""
_MIN_COLUMNS_TO_CUT = 30
_BODY_QUANTILE = 0.97
_BODY_MARGIN = 0.25
_MIN_CUT_GAIN = 1.5
"""Peaks exceed the axis only if the rest then gets this many times the height."""


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


def tick_decimals(ticks: list[float]) -> int:
    """Return the decimals, the same for all, at which the ticks differ."""
    for decimals in range(4):
        if all(abs(round(tick, decimals) - tick) < 1e-9 for tick in ticks):
            return decimals
    return 4


@dataclass(frozen=True)
class LossScale:
    """The y axis: unit, linear or logarithmic."""

    unit: LossUnit = "bits"
    is_log: bool = False

    def heights(self, nats: Floats) -> Floats:
        """Return the position of losses in nats on the axis."""
        losses = nats / NATS_PER_UNIT[self.unit]
        return np.log10(np.maximum(losses, _LOWEST_LOG_LOSS)) if self.is_log else losses

    def limits(self, low: Floats, high: Floats, others: Floats, before: Limits | None) -> Limits:
        """Return the y axis for the filled columns of a curve and for `others`, all in nats; see `loss_limits`."""
        lowest = -math.inf if self.is_log else 0.0
        return loss_limits(self.heights(low), self.heights(high), self.heights(others), before, lowest)

    def ticks(self, limits: Limits, max_ticks: int) -> list[tuple[float, str]]:
        """Return position and label of round losses."""
        losses = _log_ticks(limits, max_ticks) if self.is_log else nice_ticks(limits, max_ticks)
        if self.is_log and limits.span >= 1:
            return [(math.log10(loss), _short_loss(loss)) for loss in losses]
        decimals = tick_decimals(losses)
        return [(math.log10(loss) if self.is_log else loss, f"{loss:.{decimals}f}") for loss in losses]


def _short_loss(loss: float) -> str:
    """Return a loss of one digit, or two from 1 on, in at most five cells: "1.5", "0.03", "2e-4"."""
    return f"{loss:g}" if loss >= 0.001 else f"{loss:.0e}".replace("e-0", "e-")


def _log_ticks(limits: Limits, max_ticks: int) -> list[float]:
    """Return round losses between two powers of ten, as sparse as possible."""
    low, high = 10.0**limits.low, 10.0**limits.high
    powers = range(math.floor(limits.low), math.ceil(limits.high) + 1)
    for factors in _LOG_TICK_FACTORS:
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [round(tick, 12) for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) >= min(_ENOUGH_LOG_TICKS, max_ticks):
            break
    else:
        ticks = [tick for tick in nice_ticks(Limits(low, high), max_ticks) if tick > 0]
    apart = limits.span / (max_ticks + 1)
    kept: list[float] = []
    for tick in ticks:
        if not kept or math.log10(tick) - math.log10(kept[-1]) >= apart:
            kept.append(tick)
    return kept


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


def loss_limits(
    columns_low: Floats, columns_high: Floats, others: Floats, before: Limits | None, lowest: float = 0.0
) -> Limits:
    """Return the y axis for the filled columns of a curve and for `others`, which are always inside.

    It spans all values, except where a few columns (the initial drop, a spike) would squash the rest: then it ends
    above 97 % of the columns and those slightly higher, and the plot marks the columns beyond. It never starts below
    `lowest`.
    """
    low, high = float(columns_low.min()), float(columns_high.max())
    if len(columns_high) >= _MIN_COLUMNS_TO_CUT:
        body = float(np.quantile(columns_high, _BODY_QUANTILE))
        if high - low > _MIN_CUT_GAIN * (body - low):
            high = float(columns_high[columns_high <= body + _BODY_MARGIN * (body - low)].max())
    low, high = float(min([low, *others])), float(max([high, *others]))
    return _stable_limits(low, max(high, low + 0.01), before, lowest)


def _stable_limits(low: float, high: float, before: Limits | None, lowest: float) -> Limits:
    """Return `before` while both values fit without much slack, else rounded limits around them."""
    interval = nice_interval(high - low, 14)
    rounded = Limits(max(math.floor(low / interval) * interval, lowest), math.ceil(high / interval) * interval)
    if before is not None and before.low <= low and high <= before.high and before.span <= _MAX_SLACK * rounded.span:
        return before
    return rounded
