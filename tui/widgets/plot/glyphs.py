"""The characters of the plot in each glyph set, and the letters of the marks. Tables only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tui.run.marks import MarkKind
from tui.terminal.capabilities import GlyphSet

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
