"""ASCII and block replacements, as wide as the original, for every glyph that the screen draws.

Widgets, and Textual itself, draw with any Unicode glyph. A line filter replaces what the terminal can't show, so no
widget depends on the glyph set and columns stay aligned.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui.terminal.capabilities import GlyphSet
from tui.text.cells import cell_len, split_graphemes

_BRAILLE = range(0x2800, 0x2900)
_ARROWS = range(0x2190, 0x2200)
_BOX_DRAWING = range(0x2500, 0x2580)
_SHAPES = range(0x25A0, 0x2600)
_DIRECTIONS = (("LEFT", "<"), ("RIGHT", ">"), ("UP", "^"), ("DOWN", "v"))
_BLOCKS = '"__==###' + "#||||||||" + ".:%-|" + "..'#X##'X#"
"""Replacements of U+2580 (upper half) to U+259F (a quadrant), in their order; vertical blocks are edges."""
_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""Blocks by their filled quarters, a bit mask: 1 upper left, 2 upper right, 4 lower left, 8 lower right."""
_QUARTERS = (0b0000_0011, 0b0001_1000, 0b0100_0100, 0b1010_0000)
"""The braille dots in each quarter of a cell, as bit masks."""
_TOP_ROW, _BOTTOM_ROW = 0b0000_1001, 0b1100_0000
_SYMBOLS = "…·–—−•‖×÷±°µ¶" + "✓✔✗✘★☆⚠␣⏎↵⎯✎⚑⏸⏵" + "≈≤≥‘’“”«»‹›⌄⌃" + "●◐◑○◌◆◇■□" + "\u00a0\u2009\u202f"
_SYMBOL_FALLBACKS = "~----*=x/+ouP" + "vvxx**!_<<-*P=>" + "~<>''\"\"<><>v^" + "*++oo@o#o" + "   "
"""Replacements of `_SYMBOLS`, in their order."""


def _box_fallback(name: str) -> str:
    """Return the replacement of a box-drawing character, by its Unicode name."""
    if "DIAGONAL" in name:
        return "X" if "CROSS" in name else "/" if "UPPER RIGHT TO LOWER LEFT" in name else "\\"
    if "AND" in name.replace("DASH", "") and not name.endswith(("LEFT AND HEAVY RIGHT", "UP AND HEAVY DOWN")):
        return "+"
    if name.endswith(("VERTICAL", " UP", " DOWN")):
        return "|"
    return "=" if "HEAVY" in name or "DOUBLE" in name else "-"


def _arrow_fallback(name: str) -> str:
    """Return the replacement of an arrow or a triangle, by its Unicode name."""
    return next((fallback for word, fallback in _DIRECTIONS if f" {word}" in name or name.startswith(word)), "*")


def _ascii_of(dots: int) -> str:
    """Return an ASCII character about as high and as dark as a braille cell."""
    if dots.bit_count() > 4:
        return "#"
    is_high, is_low = bool(dots & _TOP_ROW), bool(dots & _BOTTOM_ROW)
    if is_high or is_low:
        return ":" if is_high and is_low else "'" if is_high else "."
    return "-" if dots else " "


_BLOCK_GLYPHS = {
    code: _QUADRANTS[sum(1 << number for number, quarter in enumerate(_QUARTERS) if dots & quarter)]
    for dots, code in enumerate(_BRAILLE)
}
_ASCII_GLYPHS = {
    **{code: _box_fallback(unicodedata.name(chr(code))) for code in _BOX_DRAWING},
    **{code: _arrow_fallback(unicodedata.name(chr(code))).ljust(cell_len(chr(code))) for code in (*_ARROWS, *_SHAPES)},
    **{0x2580 + number: fallback for number, fallback in enumerate(_BLOCKS)},
    **{code: _ascii_of(dots) for dots, code in enumerate(_BRAILLE)},
    **dict(zip(map(ord, _SYMBOLS), _SYMBOL_FALLBACKS, strict=True)),
}
FALLBACKS: dict[GlyphSet, dict[int, str]] = {"braille": {}, "block": _BLOCK_GLYPHS, "ascii": _ASCII_GLYPHS}
"""For each glyph set, the replacement of a character by its code point: one character of the same width."""


class GlyphFilter(LineFilter):
    """Replaces what a glyph set lacks; in ASCII without UTF-8, anything else beyond it becomes `?`."""

    def __init__(self, glyphs: GlyphSet, *, is_utf8: bool = True) -> None:
        super().__init__(enabled=glyphs != "braille")
        self._glyphs = glyphs
        self._is_utf8 = is_utf8 or glyphs != "ascii"  # to choose more than ASCII implies a terminal with UTF-8

    def translated(self, text: str) -> str:
        """Return `text` with replacements, in the same width."""
        return text if text.isascii() else _translated(text, self._glyphs, self._is_utf8)

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - Textual's signature
        """Return the segments of a line with replacements."""
        return [
            segment
            if segment.control or segment.text.isascii()
            else Segment(self.translated(segment.text), segment.style)
            for segment in segments
        ]


@lru_cache(1024)
def _translated(text: str, glyphs: GlyphSet, is_utf8: bool) -> str:  # noqa: FBT001 - lru_cache is faster with positional arguments
    text = text.translate(FALLBACKS[glyphs])
    if is_utf8 or text.isascii():
        return text
    graphemes = ((text[start:end], cells) for start, end, cells in split_graphemes(text)[0])
    return "".join(grapheme if grapheme.isascii() else "?".ljust(cells)[:cells] for grapheme, cells in graphemes)
