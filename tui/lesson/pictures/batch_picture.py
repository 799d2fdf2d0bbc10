"""What the batch size does to speed and noise of the loss, in numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tui.text.numbers import format_rate
from tui.xray.drawing import Glyphs, Line, Picture, Span, fitted, wrapped

_NAME_CELLS, _SPEED_CELLS, _NOISE_CELLS, _MAX_BAR_CELLS = 13, 14, 12, 12


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured while training at one batch size."""

    num_steps: int
    chars_per_second: float
    noise: float
    """Standard deviation of the loss from step to step, nats."""


def noise_of(losses: Sequence[float]) -> float:
    """Return how much losses scatter from step to step, without their trend: the root mean square change / sqrt 2."""
    changes = [(after - before) ** 2 for before, after in pairwise(losses)]
    return math.sqrt(sum(changes) / (2 * len(changes))) if changes else 0.0


def comparison_picture(
    measured: Sequence[tuple[int, Measured]], current: int, width: int, height: int, glyphs: Glyphs
) -> Picture:
    """Return speed and noise at each batch size; `current` is the one in use."""
    lines: list[Line] = []
    fastest = max((each.chars_per_second for _, each in measured), default=0.0)
    noisiest = max((each.noise for _, each in measured), default=0.0)
    for batch_size, each in measured:
        marker = glyphs.mark if batch_size == current else " "
        name = f"{marker} {batch_size} a step"
        cells = min(max((width - _NAME_CELLS - _SPEED_CELLS - _NOISE_CELLS) // 2, 0), _MAX_BAR_CELLS)
        speed = format_rate(each.chars_per_second)
        lines.append(
            (
                Span(name.ljust(_NAME_CELLS), "value" if batch_size == current else "text"),
                Span(glyphs.bar(each.chars_per_second / fastest if fastest else 0, cells), "bar"),
                Span(f" {speed}".ljust(_SPEED_CELLS)),
                Span(glyphs.bar(each.noise / noisiest if noisiest else 0, cells), "bar"),
                Span(f" ±{each.noise / math.log(2):.2f} bits"),
            )
        )
    return fitted((*lines, *_ratios(dict(measured), width)), width, height, glyphs)


def _ratios(measured: dict[int, Measured], width: int) -> Picture:
    """Return the comparison in words, once two sizes are measured."""
    if len(measured) < 2:
        return ()
    small, large = measured[min(measured)], measured[max(measured)]
    if not (small.chars_per_second and large.noise):
        return ()
    speed, noise = large.chars_per_second / small.chars_per_second, small.noise / large.noise
    return (
        *wrapped(
            f"{max(measured)} against {min(measured)}: {speed:.1f} times the characters a second, "
            f"1/{noise:.1f} of the noise (±) from step to step.",
            width,
            "title",
        ),
    )
