"""Text in cells: widths, graphemes, lines of a width, words of SVG pictures. The one module here that imports rich.

Widths are rich's, as in Textual's rendering; graphemes (an emoji sequence, a letter with its marks) are never split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape

from rich.cells import cell_len, set_cell_size, split_graphemes  # noqa: F401 - the first two are imported from here

from engine.text import LOST, is_harmless, sanitize_char

Span = tuple[int, int]
"""Start and end of a line in its text."""
CELL_WIDTH = 12.2
"""Pixels of a cell in rich's SVG pictures: a font size of 20 times an aspect ratio of 0.61."""
_BLANK = "\xa0"
_TEXT = re.compile(r'(<text [^>]*?)x="([\d.]+)" (y="[\d.]+") textLength="[\d.]+"([^>]*>)([^<]*)</text>')


def wrap(text: str, width: int) -> tuple[Span, ...]:
    """Return the lines of `text` in `width` cells as spans: broken at spaces if possible, else anywhere."""
    if text.isascii():
        return _wrap_ascii(text, width)
    if cell_len(text) <= width:
        return ((0, len(text)),)
    return _wrap_graphemes(text, width)


def _wrap_ascii(text: str, width: int) -> tuple[Span, ...]:
    """Wrap text whose characters are all one cell wide."""
    spans = []
    start, length = 0, len(text)
    while length - start > width:
        blank = text.rfind(" ", start + 1, start + width + 1)
        end = blank if blank > 0 else start + width
        spans.append((start, end))
        start = end + 1 if blank > 0 else end
    spans.append((start, length))
    return tuple(spans)


def _wrap_graphemes(text: str, width: int) -> tuple[Span, ...]:
    """Wrap any text. A grapheme wider than `width` gets a line of its own."""
    spans = []
    start, used, blank = 0, 0, -1
    for position, _, cells in split_graphemes(text)[0]:
        if text[position] == " " and position > start:
            blank = position
        if used + cells > width and position > start:
            end, following = (blank, blank + 1) if blank > start else (position, position)
            spans.append((start, end))
            start, blank = following, -1
            used = cell_len(text[start:position])
            if position < start:
                continue
        used += cells
    spans.append((start, len(text)))
    return tuple(spans)


def safe_chars(text: str) -> str:
    """Replace each unsafe character of `text` by one safe character, so that indices stay valid."""
    if is_harmless(text):
        return text
    safe = "".join(map(sanitize_char, text))
    return safe if is_harmless(safe) else "".join(char if char.isascii() else LOST for char in safe)  # too many marks


def with_placed_words(svg: str) -> str:
    """Return an SVG picture drawn by rich with an x for each word; signs such as bars and dots are words of their own.

    rich (15) and Textual (8.2) place a whole text of one style, and state its width as `textLength`. librsvg and others
    ignore that: with a wider or narrower font than the writer's, words touch each other or leave their column.
    """
    return _TEXT.sub(_with_words, svg)


def _with_words(found: re.Match[str]) -> str:
    before, x, y, after, content = found.groups()
    words = [
        f'<tspan x="{float(x) + CELL_WIDTH * first_cell:g}">{escape(word)}</tspan>'
        for first_cell, word in _words(unescape(content))
    ]
    return f"{before}{y}{after}{''.join(words)}</text>"


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Yield the words of a text with the blanks behind each, and the cell in which it starts."""
    word, first_cell, next_cell, was_letter = "", 0, 0, True
    for start, end, num_cells in split_graphemes(text)[0]:
        char = text[start:end]
        is_letter = num_cells == 1 and (char.isascii() or char[0].isalnum())
        if word and char != _BLANK and (word[-1] == _BLANK or not (is_letter and was_letter)):
            yield first_cell, word
            word, first_cell = "", next_cell
        word += char
        next_cell += num_cells
        was_letter = is_letter
    yield first_cell, word
