"""Lines of spans cut, padded, wrapped and set side by side, by terminal cells."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from tui.text.cells import cell_len, set_cell_size, wrap
from tui.xray.glyphs import Glyphs
from tui.xray.spans import Kind, Line, Picture, Span


def line_width(line: Line) -> int:
    """Return the cells of a line."""
    return sum(cell_len(span.text) for span in line)


def cut(line: Line, width: int, glyphs: Glyphs) -> Line:
    """Return a line of at most `width` cells; one that is longer ends with an ellipsis."""
    if line_width(line) <= width:
        return line
    kept: list[Span] = []
    room = width - 1
    for span in line:
        cells = cell_len(span.text)
        if cells > room:
            rest = set_cell_size(span.text, max(room, 0))
            return (*kept, Span(rest, span.kind, span.shade), Span(glyphs.ellipsis, span.kind))[: None if width else 0]
        kept.append(span)
        room -= cells
    return tuple(kept)


def padded(line: Line, width: int) -> Line:
    """Return a line with blanks up to `width` cells."""
    missing = width - line_width(line)
    return (*line, Span(" " * missing)) if missing > 0 else line


def beside(left: Picture, right: Picture, left_width: int, gap: int = 2) -> Picture:
    """Return two pictures side by side; the left one must fit in `left_width`."""
    return tuple(
        (*padded(first, left_width + gap), *second) if second else first
        for first, second in zip_longest(left, right, fillvalue=())
    )


def wrapped(text: str, width: int, kind: Kind = "text") -> Picture:
    """Return a text, broken at spaces if possible, in lines of `width` cells."""
    return tuple((Span(text[start:end], kind),) for start, end in wrap(text, max(width, 1)))


def fitted(picture: Picture, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the first `height` lines, each cut to `width` cells."""
    return tuple(cut(line, width, glyphs) for line in picture[: max(height, 0)])


def flowed(items: Iterable[Line], width: int) -> Picture:
    """Return items in lines of `width` cells, none of them broken; one that is wider has a line of its own."""
    lines: list[Line] = [()]
    for item in items:
        longer = (*lines[-1], Span("  "), *item) if lines[-1] else item
        lines[-1:] = [longer] if line_width(longer) <= width or not lines[-1] else [lines[-1], item]
    return tuple(lines) if lines[0] else ()
