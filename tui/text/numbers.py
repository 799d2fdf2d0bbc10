"""Numbers, times, sizes and losses as text, the same on the screen and on the command line. Pure.

Widths stay constant where possible: a value that changes many times a second must not shift its neighbours. Events,
files and views have losses in the units that they document; the screen shows all in one, the app's `loss_unit`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from engine.text import sanitize_line

LossUnit = Literal["bits", "nats"]
"""The unit of a loss per character. A bit is ln 2 nats."""
NATS_PER_UNIT: dict[LossUnit, float] = {"bits": math.log(2), "nats": 1.0}
_DECIMALS: dict[LossUnit, int] = {"bits": 2, "nats": 3}
_LARGE = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_UNITS_OF_TIME = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))
_WAIT_ROUNDING_SECONDS = 5
"""Granularity of waits under a minute."""


def format_short(number: float) -> str:
    """Return a number in at most five characters: "950", "4.5k", "45k", "1.2M"."""
    size, unit = next((each for each in _LARGE if abs(number) >= 0.9995 * each[0]), (1, ""))
    scaled = number / size
    return f"{scaled:.1f}".removesuffix(".0") + unit if unit and abs(scaled) < 9.95 else f"{scaled:.0f}{unit}"


def format_steps_tick(step: float) -> str:
    """Return the label of a step on an axis: "0", "500", "1k", "1.25k", "2.5M"."""
    size, unit = next((each for each in _LARGE if abs(step) >= each[0]), (1, ""))
    return f"{step / size:.4g}{unit}"


def format_rate(chars_per_second: float) -> str:
    """Return a speed: "45k chars/s"."""
    return f"{format_short(chars_per_second)} chars/s"


def format_duration(seconds: float) -> str:
    """Return a duration: "0:07", "2:03", "1:02:03"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_milliseconds(seconds: float) -> str:
    """Return a time to about three digits: "0.40 ms", "20.0 ms", "1250 ms"."""
    return f"{1000 * seconds:.{2 if seconds < 0.01 else 1 if seconds < 1 else 0}f} ms"


def format_wait(seconds: float) -> str:
    """Return a wait, rounded to what an estimate can know: "40 s", "12 min", "2 h 05 min", "3 d 4 h"."""
    if seconds < 55:
        return f"{max(round(seconds / _WAIT_ROUNDING_SECONDS), 1) * _WAIT_ROUNDING_SECONDS} s"
    hours, minutes = divmod(max(round(seconds / 60), 1), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def format_eta(seconds: float, spread_seconds: float) -> str:
    """Return a wait and its uncertainty: "40 s ± 5", "12 min ± 1", "2 h 05 min ± 10 min", or just "12 min"."""
    wait = format_wait(seconds)
    unit_seconds, unit = next(each for each in _UNITS_OF_TIME if wait.endswith(each[1]))
    coarseness = _WAIT_ROUNDING_SECONDS if unit == "s" else 1
    spread = coarseness * round(spread_seconds / unit_seconds / coarseness)
    has_two_units = wait.count(" ") > 1
    return f"{wait} ± {spread}{f' {unit}' if has_two_units else ''}" if spread else wait


def format_learning_rate(learning_rate: float) -> str:
    """Return a learning rate to three digits: "0.004", "0.000213", "2.1e-05", "0"."""
    return f"{learning_rate:.3g}" if learning_rate >= 1e-4 or not learning_rate else f"{learning_rate:.1e}"


def format_size(num_bytes: int) -> str:
    """Return the size of a file: "31 B", "12.0 kB", "3.8 MB", "1.2 GB"."""
    if num_bytes < 1000:
        return f"{num_bytes} B"
    if num_bytes < 1e5:
        return f"{num_bytes / 1e3:.1f} kB"
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes < 9.995e8 else f"{num_bytes / 1e9:.1f} GB"


def format_share(part: int, whole: int) -> str:
    """Return a share in percent; only exact ones are 0 or 100: "0 %", "<0.1 %", "3.4 %", "52 %", "99.9 %", "100 %"."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 0.1:
        return "<0.1 %"
    return f"{min(percent, 99.9):.1f} %" if 0 < percent < 9.95 or 99.5 <= percent < 100 else f"{percent:.0f} %"


def shown_percent(probability: float) -> str:
    """Return a probability in five cells; only an exact one is "100%"."""
    percent = 100 * probability
    if 0 < percent < 0.1:
        return "<0.1%"
    if 99.5 <= percent < 100:
        return f"{min(percent, 99.9):.1f}%"
    return f"{percent:4.0f}%" if percent >= 10 else f"{percent:4.1f}%"


def format_report(lines: Iterable[str]) -> list[str]:
    """Return the lines of a report without control characters, their indentation preserved."""
    return [line[: len(line) - len(line.lstrip(" "))] + sanitize_line(line) for line in lines]


def format_loss(nats: float, unit: LossUnit) -> str:
    """Return a loss in nats per character as text in `unit`: "2.46", "1.702"."""
    return f"{nats / NATS_PER_UNIT[unit]:.{_DECIMALS[unit]}f}"


def format_bits(bits_per_char: float, unit: LossUnit = "bits") -> str:
    """Return bits per character as text in `unit`: "2.46", "1.702"."""
    return f"{bits_in_unit(bits_per_char, unit):.{_DECIMALS[unit]}f}"


def bits_in_unit(bits: float, unit: LossUnit) -> float:
    """Return bits as a number in `unit`."""
    return bits if unit == "bits" else bits * math.log(2)


def unit_label(unit: LossUnit) -> str:
    """Return the unit of a loss: "bits/char"."""
    return f"{unit}/char"
