"""What Textual's compositor draws, as the frames of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.strip import Strip

from tui.files.cast import Cell, Frame, Line, Style
from tui.formatting.cells import split_graphemes

_WIDE = 2


class FrameReader:
    """Converts the strips of one screen after the other; lines and cells that stay the same are the same objects."""

    def __init__(self) -> None:
        """Read the first screen whole."""
        self._strips: Sequence[Strip] = ()
        self._frame: Frame = ()

    def read(self, strips: Sequence[Strip]) -> Frame:
        """Return the cells of all lines."""
        before = list(zip(self._strips, self._frame, strict=True))
        lines = []
        for y, strip in enumerate(strips):
            is_same = y < len(before) and before[y][0] == strip
            lines.append(before[y][1] if is_same else _line(strip))
        self._strips, self._frame = strips, tuple(lines)
        return self._frame


def _line(strip: Strip) -> Line:
    return tuple(cell for segment in strip for cell in _cells(segment))


def _cells(segment: Segment) -> Iterator[Cell]:
    """Yield the cells of a text in one style; a grapheme of two cells has an empty one after it."""
    style = _style(segment.style)
    text = segment.text
    if text.isascii():
        yield from (_cell(char, style) for char in text)
        return
    for start, end, num_cells in split_graphemes(text)[0]:
        if num_cells:
            yield _cell(text[start:end], style)
        if num_cells == _WIDE:
            yield _cell("", style)


@lru_cache(maxsize=100_000)
def _cell(text: str, style: Style) -> Cell:
    return text, style


@lru_cache(maxsize=10_000)
def _style(style: RichStyle | None) -> Style:
    if style is None:
        return Style()
    foreground, background = _hex(style.color), _hex(style.bgcolor)
    if style.reverse:
        foreground, background = background, foreground
    return Style(foreground, background, bool(style.bold), bool(style.italic), bool(style.underline))


def _hex(color: Color | None) -> str:
    """Return a colour's digits; Textual's filter has replaced those of the terminal's palette."""
    return "" if color is None or color.triplet is None else color.triplet.hex.removeprefix("#")
