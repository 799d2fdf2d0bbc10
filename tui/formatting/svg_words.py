"""SVG pictures of a screen in which each word has the x of its first cell, so that columns line up in every viewer.

rich (15) and Textual (8.2) place a whole text of one style, and state its width as `textLength`. librsvg and others
ignore that: with a wider or narrower font than the writer's, words touch each other or leave their column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape

from tui.formatting.cells import split_graphemes

CELL_WIDTH = 12.2
"""Pixels of a cell in rich's pictures: a font size of 20 times an aspect ratio of 0.61."""
_BLANK = "\xa0"
_TEXT = re.compile(r'(<text [^>]*?)x="([\d.]+)" (y="[\d.]+") textLength="[\d.]+"([^>]*>)([^<]*)</text>')


def with_placed_words(svg: str) -> str:
    """Return a picture drawn by rich with an x for each word; signs such as bars and dots are words of their own."""
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
