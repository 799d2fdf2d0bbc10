"""The glyphs of lesser terminals: every glyph that the screen draws has a stand-in of the same width in ASCII.

Widgets draw with whatever glyphs fit best, and so does Textual: frames, bars, scroll bars. On its way to the terminal
each line passes a filter that puts the stand-ins in; so no widget needs to know about it, and no column moves.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, split_graphemes
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui.terminal.capabilities import GlyphSet

_BRAILLE = range(0x2800, 0x2900)
_ARROWS = range(0x2190, 0x2200)
_BOX_DRAWING = range(0x2500, 0x2580)
_SHAPES = range(0x25A0, 0x2600)
_TURNS = (("LEFT", "<"), ("RIGHT", ">"), ("UP", "^"), ("DOWN", "v"))
_BLOCKS = '"__==###' + "#||||||||" + ".:%-|" + "..'#X##'X#"
"""Stand-ins of U+2580 (upper half) to U+259F (a quadrant), in their order; what stands upright is an edge."""
_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""Blocks by the quarters that are filled: 1 upper left, 2 upper right, 4 lower left, 8 lower right."""
_QUARTERS = (0b0000_0011, 0b0001_1000, 0b0100_0100, 0b1010_0000)
"""The dots of a braille cell that lie in each quarter."""
_TOP_ROW, _BOTTOM_ROW = 0b0000_1001, 0b1100_0000
_SIGNS = (
    ("…·–—−•‖×÷±°µ¶", "~----*=x/+ouP"),
    ("✓✔✗✘★☆⚠␣⏎↵⎯✎⚑⏸⏵", "vvxx**!_<<-*P=>"),
    ("≈≤≥‘’“”«»‹›⌄⌃", "~<>''\"\"<><>v^"),
    ("●◐◑○◌◆◇■□", "*++oo@o#o"),
    ("\u00a0\u2009\u202f", "   "),
)
"""Signs, and their stand-ins in the same order."""
_SEARCH_ICON = {"🔎": "> "}
"""Textual's, in the palette."""


def _box_stand_in(name: str) -> str:
    """Return the stand-in of a piece of a frame, by its Unicode name."""
    if "DIAGONAL" in name:
        return "X" if "CROSS" in name else "/" if "UPPER RIGHT TO LOWER LEFT" in name else "\\"
    if "AND" in name.replace("DASH", "") and not name.endswith(("LEFT AND HEAVY RIGHT", "UP AND HEAVY DOWN")):
        return "+"
    if name.endswith(("VERTICAL", " UP", " DOWN")):
        return "|"
    return "=" if "HEAVY" in name or "DOUBLE" in name else "-"


def _turn_stand_in(name: str) -> str:
    """Return the stand-in of an arrow or a triangle, by its Unicode name."""
    return next((stand_in for word, stand_in in _TURNS if f" {word}" in name or name.startswith(word)), "*")


def _quadrants_of(dots: int) -> str:
    """Return the block that fills the quarters in which a braille cell has dots."""
    return _QUADRANTS[sum(1 << number for number, quarter in enumerate(_QUARTERS) if dots & quarter)]


def _ascii_of(dots: int) -> str:
    """Return a mark as high and as dark as a braille cell."""
    if dots.bit_count() > 4:
        return "#"
    is_high, is_low = bool(dots & _TOP_ROW), bool(dots & _BOTTOM_ROW)
    if is_high or is_low:
        return ":" if is_high and is_low else "'" if is_high else "."
    return "-" if dots else " "


_BLOCK_GLYPHS = {_BRAILLE[dots]: _quadrants_of(dots) for dots in range(256)}
_ASCII_GLYPHS = {
    **{code: _box_stand_in(unicodedata.name(chr(code))) for code in _BOX_DRAWING},
    **{code: _turn_stand_in(unicodedata.name(chr(code))).ljust(cell_len(chr(code))) for code in (*_ARROWS, *_SHAPES)},
    **{0x2580 + number: stand_in for number, stand_in in enumerate(_BLOCKS)},
    **{_BRAILLE[dots]: _ascii_of(dots) for dots in range(256)},
    **{ord(sign): stand_in for signs, stand_ins in _SIGNS for sign, stand_in in zip(signs, stand_ins, strict=True)},
    **{ord(icon): stand_in for icon, stand_in in _SEARCH_ICON.items()},
}
STAND_INS: dict[GlyphSet, dict[int, str]] = {"braille": {}, "block": _BLOCK_GLYPHS, "ascii": _ASCII_GLYPHS}
"""For each glyph set, what stands in for a character, by its code. One for one, and as wide."""


class GlyphFilter(LineFilter):
    """Draws lines with a glyph set; where the terminal takes no Unicode, `?` stands for what is left beyond ASCII."""

    def __init__(self, glyphs: GlyphSet, *, is_utf8: bool = True) -> None:
        """Draw with `glyphs`."""
        super().__init__(enabled=glyphs != "braille" or not is_utf8)
        self._glyphs = glyphs
        self._is_utf8 = is_utf8

    def drawn(self, text: str) -> str:
        """Return a text with the stand-ins in it."""
        return text if text.isascii() else _drawn(text, self._glyphs, self._is_utf8)

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - Textual's signature
        """Return the segments of a line with the stand-ins in them."""
        return [
            segment if segment.control or segment.text.isascii() else Segment(self.drawn(segment.text), segment.style)
            for segment in segments
        ]


@lru_cache(1024)
def _drawn(text: str, glyphs: GlyphSet, is_utf8: bool) -> str:  # noqa: FBT001 - a cache tells by position
    """Return a text as wide as before, drawn with a glyph set."""
    text = text.translate(STAND_INS[glyphs])
    if is_utf8 or text.isascii():
        return text
    pieces = ((text[start:end], cells) for start, end, cells in split_graphemes(text)[0])
    return "".join(piece if piece.isascii() else "?".ljust(cells)[:cells] for piece, cells in pieces)
