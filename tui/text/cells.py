"""Text in terminal cells: widths, wrapping, lines of styled spans, bars. Pure; uses only the cell widths of rich.

Graphemes (an emoji sequence, a letter with its marks) are never split.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape, unescape
from typing import TypeVar

from rich.cells import cell_len, set_cell_size, split_graphemes

from engine.text import ELLIPSIS, LOST, is_harmless, sanitize_char

Range = tuple[int, int]
"""Start and end of a line in its text."""
UNKNOWN = "–"
"""Stands in place of a value that is not measured yet."""
_BAR_FULL, _BAR_EMPTY, _KNOB = "━", "─", "●"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_FULL = "█"
MIN_GAP = 12
"""Unchanged cells between two changed ones that are repainted with them: to move the cursor costs as many bytes."""
CELL_WIDTH = 12.2
"""Pixels of a cell in rich's SVG pictures: a font size of 20 times an aspect ratio of 0.61."""
_BLANK = "\xa0"
_SVG_TEXT = re.compile(r'(<text [^>]*?)x="([\d.]+)" (y="[\d.]+") textLength="[\d.]+"([^>]*>)([^<]*)</text>')


@dataclass(frozen=True)
class Span:
    """Text in one style."""

    text: str
    style: str
    """A component class of `LineView` without its prefix: "label", "value", "strong" ..."""


Line = tuple[Span, ...]
_AnySpan = TypeVar("_AnySpan", bound=Span)


def plain(lines: Iterable[Line]) -> str:
    """Return lines as text, without their styles."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)


def num_cells(line: Iterable[Span]) -> int:
    """Return the width of a line."""
    return sum(cell_len(span.text) for span in line)


def padded(line: Line, width: int) -> Line:
    """Return a line filled with spaces to `width` cells."""
    return (*line, Span(" " * max(width - num_cells(line), 0), "label"))


def cut(spans: Iterable[Span], width: int) -> Line:
    """Return spans in at most `width` cells; an ellipsis marks what is missing."""
    line: list[Span] = []
    for span in spans:
        if text := shortened(span.text, width):
            line.append(Span(text, span.style))
        width -= cell_len(text)
    return tuple(line)


def packed(entries: Iterable[tuple[_AnySpan, ...]], width: int, separator: _AnySpan) -> list[tuple[_AnySpan, ...]]:
    """Return entries in lines of `width` cells with the separator between them; a wider one has a line of its own."""
    lines: list[tuple[_AnySpan, ...]] = []
    for entry in entries:
        joined = (*lines[-1], separator, *entry) if lines else entry
        if lines and num_cells(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(entry)
    return lines


def shortened(text: str, max_cells: int) -> str:
    """Return `text` truncated with an ellipsis to at most `max_cells` terminal cells; a wide character takes two."""
    if cell_len(text) <= max_cells:
        return text
    return set_cell_size(text, max(max_cells - 1, 0)).rstrip() + ELLIPSIS if max_cells > 0 else ""


def wrap(text: str, width: int) -> tuple[Range, ...]:
    """Return the lines of `text` in `width` cells: broken at spaces if possible, else anywhere.

    A grapheme wider than `width` gets a line of its own.
    """
    lines = []
    start, used, blank = 0, 0, -1
    is_ascii = text.isascii()
    if is_ascii or cell_len(text) <= width:  # a hundred times faster than by graphemes
        while is_ascii and len(text) - start > width:
            blank = text.rfind(" ", start + 1, start + width + 1)
            lines.append((start, blank if blank > 0 else start + width))
            start = blank + 1 if blank > 0 else start + width
        return (*lines, (start, len(text)))
    for position, _, cells in split_graphemes(text)[0]:
        if text[position] == " " and position > start:
            blank = position
        if used + cells > width and position > start:
            end, following = (blank, blank + 1) if blank > start else (position, position)
            lines.append((start, end))
            start, blank = following, -1
            used = cell_len(text[start:position])
            if position < start:
                continue
        used += cells
    return (*lines, (start, len(text)))


def safe_chars(text: str) -> str:
    """Replace each unsafe character of `text` by one safe character, so that indices stay valid."""
    if is_harmless(text):
        return text
    safe = "".join(map(sanitize_char, text))
    return safe if is_harmless(safe) else "".join(char if char.isascii() else LOST for char in safe)  # too many marks


@lru_cache(1024)  # a grid of a batch has thousands of characters, of a vocabulary of some hundred
def shown_char(char: str) -> str:
    """Return a character as a label: "␣" for a space, "end" for none, "U+200D" if it can't be shown.

    Only the first character counts; no vocabulary has longer entries.
    """
    char = char[:1]
    if char in {"", " "}:
        return "␣" if char else "end"
    return char if cell_len(char) and sanitize_char(char) == char else f"U+{ord(char):04X}"


def bar(share: float, width: int) -> str:
    """Return a bar that fills a share, 0 to 1, of `width` cells to an eighth of a cell; padded to `width`."""
    full, rest = divmod(round(min(max(share, 0.0), 1.0) * 8 * width), 8)
    return (_FULL * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def progress_bar(share: float, width: int) -> Line:
    """Return a bar of which `share`, 0 to 1, is filled."""
    num_full = int(max(width, 0) * share)
    return Span(_BAR_FULL * num_full, "good"), Span(_BAR_EMPTY * (width - num_full), "rule")


def slider(share: float, width: int) -> Line:
    """Return a slider with its knob at `share`, 0 to 1."""
    place = round((width - 1) * min(share, 1.0))
    return Span(_BAR_FULL * place, "label"), Span(_KNOB, "strong"), Span(_BAR_EMPTY * (width - 1 - place), "rule")


def with_placed_words(svg: str) -> str:
    """Return an SVG picture drawn by rich with an x for each word; signs such as bars and dots are words of their own.

    rich (15) and Textual (8.2) place a whole text of one style, and state its width as `textLength`. librsvg and others
    ignore that: with a wider or narrower font than the writer's, words touch each other or leave their column.
    """

    def placed(found: re.Match[str]) -> str:
        before, x, y, after, content = found.groups()
        words = (
            f'<tspan x="{float(x) + CELL_WIDTH * first_cell:g}">{escape(word)}</tspan>'
            for first_cell, word in _words(unescape(content))
        )
        return f"{before}{y}{after}{''.join(words)}</text>"

    return _SVG_TEXT.sub(placed, svg)


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Yield the words of a text with the blanks behind each, and the cell in which it starts."""
    word, first_cell, next_cell, was_letter = "", 0, 0, True
    for start, end, width in split_graphemes(text)[0]:
        char = text[start:end]
        is_letter = width == 1 and (char.isascii() or char[0].isalnum())
        if word and char != _BLANK and (word[-1] == _BLANK or not (is_letter and was_letter)):
            yield first_cell, word
            word, first_cell = "", next_cell
        word += char
        next_cell += width
        was_letter = is_letter
    yield first_cell, word
