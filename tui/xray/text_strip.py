"""The inspected text: wrapped lines with a cursor, and below each one a line of glyphs that repeats its shades.

A symbol is `<BOS>` (0), a character (1 to T) or the end (T + 1). A grapheme (an emoji sequence, a letter with its
marks) is never split: it has the shade of its strongest character, and the cursor marks it as a whole. Every blank has
its cell, at the end of a line too.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.text import LOST
from tui.text.cells import cell_len, safe_chars, split_graphemes
from tui.xray.drawing import Glyphs, Line, Picture, Shades, Span

_JOINER = chr(0x200D)
"""Joins characters of an emoji. At the end of a text it would join the sign of the end, which then has no cell."""


@dataclass(frozen=True)
class _Piece:
    """What is drawn in one go: a special symbol or a grapheme."""

    text: str
    cells: int
    symbols: range


class TextStrip:
    """A text laid out in a width: draws it, and finds the symbol in a cell."""

    def __init__(self, text: str, width: int, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._end = len(text) + 1
        self._lines = _wrapped(self._pieces(safe_chars(text), max(width, 1)), max(width, 1))

    @property
    def num_lines(self) -> int:
        """Lines of text, without those of glyphs."""
        return len(self._lines)

    def picture(self, cursor: int, height: int, shades: Shades | None = None) -> Picture:
        """Return at most `height` lines around the cursor, each with its glyphs below it if two lines fit."""
        rows: list[Line] = []
        for number in self._visible(cursor, height):
            rows.append(tuple(self._text_span(piece, cursor, shades) for piece in self._lines[number]))
            if height > 1:
                rows.append(tuple(self._level_span(piece, cursor, shades) for piece in self._lines[number]))
        return tuple(rows)

    def symbol_at(self, x: int, y: int, cursor: int, height: int) -> int | None:
        """Return the symbol at a cell of `picture(cursor, height)`; None beside the text."""
        visible = self._visible(cursor, height)
        row = y // 2 if height > 1 else y
        if not 0 <= row < len(visible) or x < 0:
            return None
        for piece in self._lines[visible[row]]:
            x -= piece.cells
            if x < 0:
                return piece.symbols[0]
        return None

    def moved_by_lines(self, cursor: int, num_lines: int) -> int:
        """Return the input above (negative) or below another one, in the nearest column; `cursor` if none is there."""
        line = self._line_of(cursor)
        if not 0 <= line + num_lines < len(self._lines):
            return cursor
        column = 0
        for piece in self._lines[line]:
            if cursor in piece.symbols:
                break
            column += piece.cells
        symbol = cursor
        for piece in self._lines[line + num_lines]:
            if column >= 0 or symbol == cursor:
                symbol = piece.symbols[0]
            column -= piece.cells
        return min(symbol, self._end - 1)

    def _pieces(self, text: str, width: int) -> list[_Piece]:
        """Return the text with its special symbols; what is wider than `width` is replaced."""
        pieces = [_Piece(self._glyphs.bos, 1, range(1))]
        for begin, end, cells in split_graphemes(text)[0]:
            shown = text[begin:end].rstrip(_JOINER) if 0 < cells <= width else LOST
            pieces.append(_Piece(shown, cell_len(shown), range(begin + 1, end + 1)))
        return [*pieces, _Piece(self._glyphs.eos, 1, range(self._end, self._end + 1))]

    def _line_of(self, symbol: int) -> int:
        return next(number for number, line in enumerate(self._lines) if any(symbol in piece.symbols for piece in line))

    def _visible(self, cursor: int, height: int) -> range:
        """Return the lines that are shown: the cursor's and, as far as there is room, those around it."""
        count = min(height // 2 if height > 1 else height, len(self._lines))
        first = min(max(self._line_of(cursor) - count // 2, 0), len(self._lines) - count)
        return range(first, first + max(count, 0))

    def _text_span(self, piece: _Piece, cursor: int, shades: Shades | None) -> Span:
        if cursor in piece.symbols:
            return Span(piece.text, "cursor")
        is_special = piece.symbols[0] in {0, self._end}
        return Span(piece.text, "muted" if is_special else "text", _strongest(piece, shades))

    def _level_span(self, piece: _Piece, cursor: int, shades: Shades | None) -> Span:
        """Return the glyphs below a piece."""
        value = _strongest(piece, shades)
        level = " " if value is None or shades is None else shades.level(value, self._glyphs)
        if cursor in piece.symbols:
            return Span(self._glyphs.cursor + level * (piece.cells - 1), "title")
        return Span(level * piece.cells, "bar")


def _wrapped(pieces: list[_Piece], width: int) -> list[list[_Piece]]:
    """Return the pieces in lines, broken after a blank if possible."""
    lines: list[list[_Piece]] = [[]]
    used = 0
    for piece in pieces:
        if used + piece.cells > width and lines[-1]:
            lines[-1:] = _broken(lines[-1], piece)
            used = sum(other.cells for other in lines[-1])
        lines[-1].append(piece)
        used += piece.cells
    return lines


def _broken(line: list[_Piece], following: _Piece) -> tuple[list[_Piece], list[_Piece]]:
    """Return the part of a full line that remains, and the part that moves to the next line: its last word."""
    if following.text != " ":
        last_blank = max((index for index, piece in enumerate(line) if piece.text == " "), default=0)
        if last_blank:
            return line[: last_blank + 1], line[last_blank + 1 :]
    return line, []


def _strongest(piece: _Piece, shades: Shades | None) -> float | None:
    """Return the value of a piece that is farthest from 0."""
    if shades is None:
        return None
    values = [value for value in shades.values[piece.symbols.start : piece.symbols.stop] if value is not None]
    return max(values, key=abs) if values else None
