"""`Cells`: a grid of characters with a style each, which a plot is drawn into, and what changed from one to the next.

Pure arrays; knows no framework. Only changed cells go to the terminal, so that over ssh a few more steps cost a few
hundred bytes in place of the whole plot. Curves are drawn as dots, several to a cell: a column of dots holds a stretch
from its top row to its bottom row, joined to the stretch before it, so that a curve has no holes however steep it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self, get_args

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from tui.run.buckets import Floats
from tui.widgets.plot.glyphs import StyleName
from tui.widgets.plot.scales import Limits

Dots = NDArray[np.bool_]
STYLE_NAMES: tuple[StyleName, ...] = get_args(StyleName)
_SECOND_HALF = 0
"""Stands in the cell after a character that is two cells wide."""
_WORTH_SKIPPING = 12
"""To move over fewer unchanged cells than this costs more bytes than to send them again."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The grid. Drawing changes it; take a `copy` to keep what is there."""

    chars: NDArray[np.uint32]
    """Code points, rows x columns."""
    styles: NDArray[np.uint8]
    """Places in `STYLE_NAMES`, rows x columns."""

    @classmethod
    def blank(cls, width: int, height: int) -> Self:
        """Return a grid of blanks."""
        return cls(np.full((height, width), ord(" "), np.uint32), np.zeros((height, width), np.uint8))

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.chars.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.chars.shape[0])

    def copy(self) -> Cells:
        """Return the same grid, to be drawn on separately."""
        return Cells(self.chars.copy(), self.styles.copy())

    def write(self, x: int, y: int, text: str, style: StyleName) -> int:
        """Write text from a cell on, as far as the row reaches; return the cell after it.

        Characters that combine with the one before are left out: a cell holds one character.
        """
        place = STYLE_NAMES.index(style)
        for char in text:
            width = cell_len(char)
            if width == 0:
                continue
            if not (x >= 0 and x + width <= self.width and 0 <= y < self.height):
                break
            self.chars[y, x : x + width] = [ord(char), _SECOND_HALF][:width]
            self.styles[y, x : x + width] = place
            x += width
        return x

    def fill(self, x: int, rows: slice, char: str, style: StyleName) -> None:
        """Write one character, one cell wide, into some rows of a column."""
        self.chars[rows, x] = ord(char)
        self.styles[rows, x] = STYLE_NAMES.index(style)

    def stamp(self, x: int, y: int, chars: NDArray[np.uint32], style: StyleName) -> None:
        """Lay a smaller grid of characters over this one; its blanks let through what is there."""
        rows, columns = slice(y, y + chars.shape[0]), slice(x, x + chars.shape[1])
        is_drawn = chars != ord(" ")
        self.chars[rows, columns][is_drawn] = chars[is_drawn]
        self.styles[rows, columns][is_drawn] = STYLE_NAMES.index(style)

    def pieces(self, y: int) -> Iterator[tuple[str, StyleName]]:
        """Yield a row's text, in pieces of one style each; a blank takes that of the character before it.

        A blank's style is not seen, but each change of style costs bytes.
        """
        drawn = np.where(self.chars[y] != ord(" "), np.arange(self.width), 0)
        styles = self.styles[y][np.maximum.accumulate(drawn)]
        starts = [0, *(np.flatnonzero(np.diff(styles)) + 1).tolist(), self.width]
        for start, end in pairwise(starts):
            text = self.chars[y, start:end].astype("<u4").tobytes().decode("utf-32-le")
            yield text.replace("\0", ""), STYLE_NAMES[styles[start]]

    def changes(self, before: Cells) -> Iterator[tuple[int, int, int]]:
        """Yield x, y and width of each stretch of a row that differs from a grid of the same size."""
        is_restyled = (self.styles != before.styles) & (self.chars != ord(" "))
        changed = (self.chars != before.chars) | is_restyled
        is_second = ((self.chars == _SECOND_HALF) | (before.chars == _SECOND_HALF))[:, 1:]
        changed[:, 1:] |= changed[:, :-1] & is_second
        changed[:, :-1] |= changed[:, 1:] & is_second
        for y in np.flatnonzero(changed.any(axis=1)).tolist():
            columns = np.flatnonzero(changed[y])
            for stretch in np.split(columns, np.flatnonzero(np.diff(columns) > _WORTH_SKIPPING) + 1):
                yield int(stretch[0]), y, int(stretch[-1] - stretch[0] + 1)

    def text(self) -> list[str]:
        """Return the rows without their styles."""
        return ["".join(text for text, _ in self.pieces(y)) for y in range(self.height)]


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
