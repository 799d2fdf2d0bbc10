"""The characters of the plot in each glyph set, and the letters of the marks. Tables only.

`CellGrid`: the styled characters that a picture consists of, and the difference between two grids.

Only changed cells are sent to the terminal: over ssh a few more steps cost some hundred bytes in place of the whole
plot. Curves are rasterized to dots, several per cell; adjacent columns are joined, so that steep curves have no gaps.
Pure arrays; never imports Textual.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from tui.run.marks import MarkKind
from tui.run.series import Floats
from tui.terminal.capabilities import GlyphSet
from tui.widgets.plot.axes import Limits

StyleName = Literal[
    "text",
    "axis",
    "tick",
    "heading",
    "focus",
    "grid",
    "level",
    "level_label",
    "band",
    "line",
    "overlay",
    "validation",
    "best",
    "best_line",
    "peak",
    "mark",
    "window",
    "cursor",
    "readout",
]
"""Component classes of the plot; the first is that of spaces."""

MARK_LETTERS: dict[MarkKind, str] = {
    "loaded": "L",
    "level": "N",
    "learning rate": "R",
    "batch size": "B",
    "finishing": "F",
    "saved": "S",
    "temperature": "T",
    "filter": "D",
    "paused": "P",
}
"""The most important first: it is the one shown where several share a column."""

MARK_MEANINGS: dict[MarkKind, str] = {
    "loaded": "checkpoint loaded",
    "level": "validation below a level",
    "learning rate": "learning rate changed",
    "batch size": "batch size changed",
    "finishing": "finishing began",
    "saved": "checkpoint saved",
    "temperature": "temperature changed",
    "filter": "filter of drafts changed",
    "paused": "paused",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class PlotGlyphs:
    """One glyph set; `weights` is the bit of each dot in a cell, rows x columns."""

    weights: NDArray[np.uint8]
    band: NDArray[np.uint32]
    """Code point for each sum of weights."""
    line: NDArray[np.uint32]
    val_curve: NDArray[np.uint32]
    validation: str
    best: str
    level: str
    """A horizontal line at each height within a cell, from the top."""
    window: str
    """Marks the part of the x axis that the other pane shows."""
    line_sample: str
    overlay_sample: str
    band_sample: str
    is_fine: bool = False
    """Whether a dot is thin enough for a line of two."""
    grid: str = "·"
    up: str = "↑"
    down: str = "↓"
    beaten: str = "✓"
    peak: str = "▲"
    cursor: str = "│"
    horizontal: str = "─"
    focused: str = "━"
    """The heading's rule while the plot has the focus."""
    step_tick: str = "┴"


def _points(chars: str) -> NDArray[np.uint32]:
    return np.array([ord(char) for char in chars], np.uint32)


_BRAILLE = _points(" " + "".join(chr(0x2800 + pattern) for pattern in range(1, 256)))

PLOT_GLYPHS: dict[GlyphSet, PlotGlyphs] = {
    "braille": PlotGlyphs(
        weights=np.array([[1, 8], [2, 16], [4, 32], [64, 128]], np.uint8),
        band=_BRAILLE,
        line=_BRAILLE,
        val_curve=_BRAILLE,
        validation="●",
        best="◆",
        level="⠉⠒⠤⣀",
        is_fine=True,
        window="━",
        line_sample="⠒⠒",
        overlay_sample="⠤⠤",
        band_sample="⣿",
    ),
    "block": PlotGlyphs(
        weights=np.array([[1], [2]], np.uint8),
        band=_points(" ▀▄█"),
        line=_points(" ▀▄█"),
        val_curve=_points(" •••"),
        validation="•",
        best="◊",
        level="─",
        focused="═",
        window="═",
        line_sample="▀▀",
        overlay_sample="▄▄",
        band_sample="█",
    ),
    "ascii": PlotGlyphs(
        weights=np.array([[1], [2]], np.uint8),
        band=_points(" '.:"),
        line=_points(" ==="),
        val_curve=_points(" ooo"),
        validation="o",
        best="*",
        level="-",
        grid=".",
        up="^",
        down="v",
        beaten="x",
        peak="^",
        cursor="|",
        horizontal="-",
        focused="=",
        step_tick="+",
        window="=",
        line_sample="==",
        overlay_sample="--",
        band_sample=":",
    ),
}


Dots = NDArray[np.bool_]
STYLE_NAMES: tuple[StyleName, ...] = get_args(StyleName)
_CONTINUATION = 0
"""Follows a character that is two cells wide."""
_MIN_GAP = 12
"""Repeating fewer unchanged cells than this takes fewer bytes than a cursor move."""


@dataclass(frozen=True, eq=False)
class CellGrid:
    """A mutable grid of characters and styles."""

    chars: NDArray[np.uint32]
    """Code points, rows x columns."""
    styles: NDArray[np.uint8]
    """Indices into `STYLE_NAMES`, rows x columns."""

    @classmethod
    def blank(cls, width: int, height: int) -> Self:
        """Return a grid of spaces."""
        return cls(np.full((height, width), ord(" "), np.uint32), np.zeros((height, width), np.uint8))

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.chars.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.chars.shape[0])

    def copy(self) -> CellGrid:
        """Return an independent copy."""
        return CellGrid(self.chars.copy(), self.styles.copy())

    def write(self, x: int, y: int, text: str, style: StyleName) -> int:
        """Write text as far as the row reaches; return the column after it.

        Combining characters are left out, as a cell stores one code point.
        """
        place = STYLE_NAMES.index(style)
        for char in text:
            width = cell_len(char)
            if width == 0:
                continue
            if not (x >= 0 and x + width <= self.width and 0 <= y < self.height):
                break
            self.chars[y, x : x + width] = [ord(char), _CONTINUATION][:width]
            self.styles[y, x : x + width] = place
            x += width
        return x

    def fill(self, x: int, rows: slice, char: str, style: StyleName) -> None:
        """Write a character, one cell wide, into some rows of a column."""
        self.chars[rows, x] = ord(char)
        self.styles[rows, x] = STYLE_NAMES.index(style)

    def draw_row(self, columns: slice, y: int, char: str, style: StyleName) -> None:
        """Write a character, one cell wide, into some columns of a row."""
        self.chars[y, columns] = ord(char)
        self.styles[y, columns] = STYLE_NAMES.index(style)

    def stamp(self, x: int, y: int, chars: NDArray[np.uint32], style: StyleName) -> None:
        """Draw a smaller grid of characters over this one; its spaces are transparent."""
        rows, columns = slice(y, y + chars.shape[0]), slice(x, x + chars.shape[1])
        is_drawn = chars != ord(" ")
        self.chars[rows, columns][is_drawn] = chars[is_drawn]
        self.styles[rows, columns][is_drawn] = STYLE_NAMES.index(style)

    def segments(self, y: int) -> Iterator[tuple[str, StyleName]]:
        """Yield a row as pieces of text in one style.

        A space gets the style of the character before it: its style is invisible, but each change of style costs bytes.
        """
        drawn = np.where(self.chars[y] != ord(" "), np.arange(self.width), 0)
        styles = self.styles[y][np.maximum.accumulate(drawn)]
        starts = [0, *(np.flatnonzero(np.diff(styles)) + 1).tolist(), self.width]
        for start, end in pairwise(starts):
            text = self.chars[y, start:end].astype("<u4").tobytes().decode("utf-32-le")
            yield text.replace("\0", ""), STYLE_NAMES[styles[start]]

    def changes(self, before: CellGrid) -> Iterator[tuple[int, int, int]]:
        """Yield x, y and width of each changed stretch of a row; `before` has the same size."""
        is_restyled = (self.styles != before.styles) & (self.chars != ord(" "))
        changed = (self.chars != before.chars) | is_restyled
        is_second = ((self.chars == _CONTINUATION) | (before.chars == _CONTINUATION))[:, 1:]
        changed[:, 1:] |= changed[:, :-1] & is_second
        changed[:, :-1] |= changed[:, 1:] & is_second
        for y in np.flatnonzero(changed.any(axis=1)).tolist():
            columns = np.flatnonzero(changed[y])
            for stretch in np.split(columns, np.flatnonzero(np.diff(columns) > _MIN_GAP) + 1):
                yield int(stretch[0]), y, int(stretch[-1] - stretch[0] + 1)

    def text(self) -> list[str]:
        """Return the rows as text, without styles."""
        return ["".join(text for text, _ in self.segments(y)) for y in range(self.height)]


def curve_dots(low: Floats, high: Floats, is_gap: NDArray[np.bool_], limits: Limits, num_rows: int) -> Dots:
    """Return the dots, rows x columns, that fill each column from `low` to `high`: a band, or a line if they are equal.

    Empty columns (NaN) are interpolated linearly, but for those in a gap. Values outside the limits are clipped.
    """
    top = _rows(_interpolated(high, is_gap), limits, num_rows)
    bottom = _rows(_interpolated(low, is_gap), limits, num_rows)
    before_top, before_bottom = np.roll(top, 1), np.roll(bottom, 1)
    before_top[0], before_bottom[0] = np.nan, np.nan
    joined_top = np.fmin(top, np.where(top > before_bottom, before_bottom + 1, top))
    joined_bottom = np.fmax(bottom, np.where(bottom < before_top, before_top - 1, bottom))
    row = np.arange(num_rows)[:, np.newaxis]
    return (row >= joined_top) & (row <= joined_bottom)


def cell_chars(dots: Dots, weights: NDArray[np.uint8], chars: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the character of each cell, rows x columns; `weights` is the bit of each dot in a cell."""
    high, wide = weights.shape
    by_cell = dots.reshape(dots.shape[0] // high, high, dots.shape[1] // wide, wide)
    return np.asarray(chars[np.einsum("rhcw,hw->rc", by_cell, weights.astype(np.intp))], np.uint32)


def _rows(values: Floats, limits: Limits, num_rows: int) -> Floats:
    """Return the row of dots of each value, -1 or `num_rows` if outside; NaN stays."""
    rows = np.floor((limits.high - values) / limits.span * num_rows)
    rows[values == limits.low] = num_rows - 1
    return np.clip(rows, -1, num_rows)


def _interpolated(values: Floats, is_gap: NDArray[np.bool_]) -> Floats:
    """Return the values with empty columns between them interpolated linearly, unless they are in a gap."""
    filled = np.flatnonzero(np.isfinite(values))
    if len(filled) < 2:
        return values
    columns = np.arange(len(values))
    return np.where(is_gap, np.nan, np.interp(columns, filled, values[filled], left=np.nan, right=np.nan))
