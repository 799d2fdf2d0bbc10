"""Pools the units of a layer into bands that fit a screen, and rounds numbers for events."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.protocol.insight import Bands

STATE_BANDS = 32
"""Of embeddings and hidden states."""
GATE_BANDS = 24
DIGITS, FINE_DIGITS = 3, 5


def bands(values: Tensor, max_bands: int) -> Bands:
    """Return the means of up to `max_bands` groups of neighbouring units, (T, units) to (T, bands).

    The groups' sizes differ by at most one unit.
    """
    groups = values.tensor_split(min(max_bands, values.shape[1]), dim=1)
    pooled = torch.stack([group.mean(dim=1) for group in groups], dim=1)  # (T, bands)
    return tuple(map(tuple, np.round(pooled.double().numpy(), DIGITS).tolist()))


def by_mean(values: Tensor) -> Tensor:
    """Return the units of `values` (T, units) in ascending order of their mean over the text."""
    return values.mean(dim=0).argsort(stable=True)


def rounded(values: Tensor, digits: int = DIGITS) -> list[float]:
    """Return a vector as floats with so many digits after the point."""
    numbers: list[float] = np.round(values.double().numpy(), digits).tolist()
    return numbers
