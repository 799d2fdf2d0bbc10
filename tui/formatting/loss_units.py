"""Losses as text, in bits or nats per character. Pure: events, files and views are in the units that they document.

A bit is ln 2 nats. The screen shows all losses in one unit, the app's `loss_unit`.
"""

from __future__ import annotations

import math
from typing import Literal

LossUnit = Literal["bits", "nats"]
NATS_PER_UNIT: dict[LossUnit, float] = {"bits": math.log(2), "nats": 1.0}
_DECIMALS: dict[LossUnit, int] = {"bits": 2, "nats": 3}


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
