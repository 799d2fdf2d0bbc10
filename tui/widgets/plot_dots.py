"""Curves as dots: from values per column to the rows they touch, and from dots to characters. Pure arrays.

A column of dots holds a stretch from its top row to its bottom row, joined to the stretch before it, so that a curve
has no holes however steep it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tui.buckets import Floats
from tui.widgets.plot_scales import Limits

Dots = NDArray[np.bool_]


def curve_dots(low: Floats, high: Floats, limits: Limits, num_rows: int) -> Dots:
    """Return the dots (rows x columns) from `low` to `high` in each column; a line where both are the same.

    Empty columns (NaN) between filled ones are crossed in a straight line. What lies outside the limits is cut off.
    """
    top = _rows(_without_gaps(high), limits, num_rows)
    bottom = _rows(_without_gaps(low), limits, num_rows)
    before_top, before_bottom = np.roll(top, 1), np.roll(bottom, 1)
    before_top[0], before_bottom[0] = np.nan, np.nan
    joined_top = np.fmin(top, np.where(top > before_bottom, before_bottom + 1, top))
    joined_bottom = np.fmax(bottom, np.where(bottom < before_top, before_top - 1, bottom))
    row = np.arange(num_rows)[:, np.newaxis]
    return (row >= joined_top) & (row <= joined_bottom)


def cell_chars(dots: Dots, weights: NDArray[np.uint8], chars: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the character for each cell (rows x columns) of as many dots as there are `weights`."""
    high, wide = weights.shape
    by_cell = dots.reshape(dots.shape[0] // high, high, dots.shape[1] // wide, wide)
    return np.asarray(chars[np.einsum("rhcw,hw->rc", by_cell, weights.astype(np.intp))], np.uint32)


def _rows(values: Floats, limits: Limits, num_rows: int) -> Floats:
    """Return the row of dots that each value falls into, just outside where it is outside; NaN stays."""
    rows = np.floor((limits.high - values) / limits.span * num_rows)
    rows[values == limits.low] = num_rows - 1
    return np.clip(rows, -1, num_rows)


def _without_gaps(values: Floats) -> Floats:
    """Return the values with what is missing between two of them filled in along a straight line."""
    filled = np.flatnonzero(np.isfinite(values))
    if len(filled) < 2:
        return values
    columns = np.arange(len(values))
    return np.interp(columns, filled, values[filled], left=np.nan, right=np.nan)
