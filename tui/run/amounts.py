"""A typed amount of training: steps, a time or epochs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Unit = Literal["steps", "seconds", "epochs"]
MAX_AMOUNT = 1e12
_NUMBER_AND_UNIT = re.compile(r"([\d., _\u00a0\u202f]*\d)\s*([a-z]*)")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):([0-5]\d)")
_UNITS: dict[str, tuple[Unit, float]] = {
    **dict.fromkeys(("", "step", "steps"), ("steps", 1.0)),
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("seconds", 1.0)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), ("seconds", 60.0)),
    **dict.fromkeys(("h", "hour", "hours"), ("seconds", 3600.0)),
    **dict.fromkeys(("e", "epoch", "epochs"), ("epochs", 1.0)),
}


@dataclass(frozen=True)
class Amount:
    """How much longer a run trains."""

    number: float
    unit: Unit


def amount_in(text: str) -> Amount | None:
    """Parse "2,500", "90 s", "10 min", "1:30", "2 h" or "1.5 epochs"; a number without a unit is one of steps."""
    text = text.strip().lower()
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return _checked(Amount(3600 * hours + 60 * minutes + seconds, "seconds"))
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None or match[2] not in _UNITS:
        return None
    unit, factor = _UNITS[match[2]]
    digits = re.sub(r"[ _\u00a0\u202f]|,(?=\d{3}(?!\d))", "", match[1]).replace(",", ".")
    try:
        return _checked(Amount(float(digits) * factor, unit))
    except ValueError:  # two points
        return None


def _checked(amount: Amount) -> Amount | None:
    """Return an amount that a run can train for; None for others."""
    is_whole = amount.unit != "steps" or amount.number.is_integer()
    least = 0.01 if amount.unit == "epochs" else 1
    return amount if is_whole and least <= amount.number <= MAX_AMOUNT else None
