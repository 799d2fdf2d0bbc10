"""`CellGrid`: the styled characters of the plot, and the difference between two grids; glyph sets, and curves as dots.

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

from tui.run.marks import MarkKind
from tui.run.series import Floats, Ints
from tui.terminal.capabilities import GlyphSet
from tui.text.cells import MIN_GAP, cell_len
from tui.widgets.plot.axes import Limits

_Around = Literal["text", "axis", "tick", "heading", "focus", "mark", "window", "cursor", "readout"]
_Across = Literal["grid", "level", "level_label", "best_line"]
_Curve = Literal["band", "line", "overlay", "validation", "best", "peak"]
StyleName = Literal[_Around, _Across, _Curve]
"""Component classes of the plot; the first is that of spaces."""

MARKS: dict[MarkKind, tuple[str, str]] = {
    "loaded": ("L", "checkpoint loaded"),
    "level": ("N", "validation below a level"),
    "learning rate": ("R", "learning rate changed"),
    "batch size": ("B", "batch size changed"),
    "finishing": ("F", "finishing began"),
    "saved": ("S", "checkpoint saved"),
    "temperature": ("T", "temperature changed"),
    "filter": ("D", "filter of drafts changed"),
    "paused": ("P", "paused"),
}
"""Letter and meaning; the most important first: it is the one shown where several share a column."""

_BRAILLE = " " + "".join(map(chr, range(0x2801, 0x2900)))
_BRAILLE_WEIGHTS = np.array([[1, 8], [2, 16], [4, 32], [64, 128]])
_HALF_WEIGHTS = np.array([[1], [2]])


@dataclass(frozen=True, kw_only=True)
class PlotGlyphs:
    """One glyph set; braille unless given."""

    is_fine: bool = True
    """Whether a cell has eight dots, in place of two halves."""
    band: str = _BRAILLE
    """The character of each sum of weights."""
    line: str = _BRAILLE
    overlay: str = _BRAILLE
    val_curve: str = _BRAILLE
    level: str = "⠉⠒⠤⣀"
    """A horizontal line at each height within a cell, from the top."""
    line_sample: str = "⠒⠒"
    overlay_sample: str = "⠉ ⣀"
    """Dashes, as the curve; those of a level have one height."""
    band_sample: str = "⣿"
    validation: str = "●"
    best: str = "◆"
    heavy: str = "━"
    """The heading's rule while the plot has the focus, and the part of the x axis that the other pane shows."""
    horizontal: str = "─"
    step_tick: str = "┴"
    grid: str = "·"
    cursor: str = "│"
    peak: str = "▲"
    beaten: str = "✓"
    up: str = "↑"
    down: str = "↓"

    @property
    def weights(self) -> NDArray[np.int_]:
        """The bit of each dot in a cell, rows x columns."""
        return _BRAILLE_WEIGHTS if self.is_fine else _HALF_WEIGHTS


PLOT_GLYPHS: dict[GlyphSet, PlotGlyphs] = {
    "braille": PlotGlyphs(),
    "block": PlotGlyphs(
        is_fine=False,
        band=" ▀▄█",
        line=" ▀▄█",
        overlay=" ▀▄█",
        val_curve=" •••",
        level="─",
        line_sample="▀▀",
        overlay_sample="▀ ▄",
        band_sample="█",
        validation="•",
        best="◊",
        heavy="═",
    ),
    "ascii": PlotGlyphs(
        is_fine=False,
        band=" '.:",
        line=" ===",
        overlay=" ~~~",
        val_curve=" ooo",
        level="-",
        line_sample="==",
        overlay_sample="~ ~",
        band_sample=":",
        validation="o",
        best="*",
        heavy="=",
        horizontal="-",
        step_tick="+",
        grid=".",
        cursor="|",
        peak="^",
        beaten="x",
        up="^",
        down="v",
    ),
}

Dots = NDArray[np.bool_]
Chars = NDArray[np.uint32]
STYLE_NAMES: tuple[StyleName, ...] = get_args(StyleName)
_SPACE = ord(" ")
_CONTINUATION = 0
"""Follows a character that is two cells wide."""


@dataclass(frozen=True, eq=False)
class CellGrid:
    """A mutable grid of characters and styles."""

    chars: Chars
    """Code points, rows x columns."""
    styles: NDArray[np.uint8]
    """Indices into `STYLE_NAMES`, rows x columns."""

    @classmethod
    def blank(cls, width: int, height: int) -> Self:
        """Return a grid of spaces."""
        return cls(np.full((height, width), _SPACE, np.uint32), np.zeros((height, width), np.uint8))

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.chars.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.chars.shape[0])

    def copy(self) -> CellGrid:
        return CellGrid(self.chars.copy(), self.styles.copy())

    def write(self, x: int, y: int, text: str, style: StyleName) -> int:
        """Write text as far as the row reaches; return the column after it.

        Combining characters are left out, as a cell stores one code point.
        """
        for char in text:
            width = cell_len(char)
            if width == 0:
                continue
            if not (x >= 0 and x + width <= self.width and 0 <= y < self.height):
                break
            self.chars[y, x : x + width] = [ord(char), _CONTINUATION][:width]
            self.styles[y, x : x + width] = STYLE_NAMES.index(style)
            x += width
        return x

    def fill(self, columns: int | slice | Ints, rows: int | slice, char: str, style: StyleName) -> None:
        """Write a character, one cell wide, into some cells."""
        self.chars[rows, columns] = ord(char)
        self.styles[rows, columns] = STYLE_NAMES.index(style)

    def draw_dots(self, x: int, y: int, dots: Dots, glyphs: PlotGlyphs, chars: str, style: StyleName) -> None:
        """Draw dots, rows x columns, over the cells from (x, y) on; `chars` are those of a kind of curve."""
        high, wide = glyphs.weights.shape
        by_cell = dots.reshape(dots.shape[0] // high, high, dots.shape[1] // wide, wide)
        sums = np.einsum("rhcw,hw->rc", by_cell, glyphs.weights)
        inside = slice(y, y + sums.shape[0]), slice(x, x + sums.shape[1])
        self.chars[inside][sums > 0] = np.frombuffer(chars.encode("utf-32-le"), "<u4")[sums[sums > 0]]
        self.styles[inside][sums > 0] = STYLE_NAMES.index(style)

    def segments(self, y: int) -> Iterator[tuple[str, StyleName]]:
        """Yield a row as pieces of text in one style.

        A space gets the style of the character before it: its style is invisible, but each change of style costs bytes.
        """
        drawn = np.where(self.chars[y] != _SPACE, np.arange(self.width), 0)
        styles = self.styles[y][np.maximum.accumulate(drawn)]
        starts = [0, *(np.flatnonzero(np.diff(styles)) + 1).tolist(), self.width]
        for start, end in pairwise(starts):
            text = self.chars[y, start:end].astype("<u4").tobytes().decode("utf-32-le")
            yield text.replace("\0", ""), STYLE_NAMES[styles[start]]

    def changes(self, before: CellGrid) -> Iterator[tuple[int, int, int]]:
        """Yield x, y and width of each changed stretch of a row; `before` has the same size."""
        is_restyled = (self.styles != before.styles) & (self.chars != _SPACE)
        changed = (self.chars != before.chars) | is_restyled
        is_second = ((self.chars == _CONTINUATION) | (before.chars == _CONTINUATION))[:, 1:]
        changed[:, 1:] |= changed[:, :-1] & is_second
        changed[:, :-1] |= changed[:, 1:] & is_second
        for y in np.flatnonzero(changed.any(axis=1)).tolist():
            columns = np.flatnonzero(changed[y])
            for stretch in np.split(columns, np.flatnonzero(np.diff(columns) > MIN_GAP) + 1):
                yield int(stretch[0]), y, int(stretch[-1] - stretch[0] + 1)


def curve_dots(low: Floats, high: Floats, is_gap: NDArray[np.bool_], limits: Limits, num_rows: int) -> Dots:
    """Return the dots, rows x columns, that fill each column from `low` to `high`: a band, or a line if they are equal.

    Empty columns (NaN) are interpolated linearly, but for those in a gap. Values outside the limits are clipped.
    """
    top, bottom = (_dot_rows(values, is_gap, limits, num_rows) for values in (high, low))
    before_top, before_bottom = np.roll(top, 1), np.roll(bottom, 1)
    before_top[0], before_bottom[0] = np.nan, np.nan
    joined_top = np.fmin(top, np.where(top > before_bottom, before_bottom + 1, top))
    joined_bottom = np.fmax(bottom, np.where(bottom < before_top, before_top - 1, bottom))
    row = np.arange(num_rows)[:, np.newaxis]
    return (row >= joined_top) & (row <= joined_bottom)


def _dot_rows(values: Floats, is_gap: NDArray[np.bool_], limits: Limits, num_rows: int) -> Floats:
    """Return the row of dots of each value, -1 or `num_rows` if outside; NaN where there is none to draw."""
    filled = np.flatnonzero(np.isfinite(values))
    if len(filled) > 1:
        between = np.interp(np.arange(len(values)), filled, values[filled], left=np.nan, right=np.nan)
        values = np.where(is_gap, np.nan, between)
    rows = np.floor((limits.high - values) / limits.span * num_rows)
    rows[values == limits.low] = num_rows - 1
    return np.clip(rows, -1, num_rows)
