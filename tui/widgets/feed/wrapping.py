"""Wraps text by terminal cells, and indexes the lines of a long list of texts. Never imports a widget.

Widths are rich's, as in Textual's rendering; graphemes (an emoji sequence, a letter with its marks) are never split.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

from rich.cells import cell_len, split_graphemes

Span = tuple[int, int]
"""Start and end of a line in its text."""


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


class WrappedTexts:
    """Texts wrapped to one width, with an index from line numbers to texts."""

    def __init__(self, width: int) -> None:
        self.texts: list[str] = []
        self._width = max(1, width)
        self._spans: list[tuple[Span, ...]] = []
        self._line_ends: list[int] = []

    @property
    def num_lines(self) -> int:
        """Lines of all texts."""
        return self._line_ends[-1] if self._line_ends else 0

    def extend(self, texts: Iterable[str]) -> None:
        """Append texts."""
        end = self.num_lines
        for text in texts:
            spans = wrap(text, self._width)
            end += len(spans)
            self.texts.append(text)
            self._spans.append(spans)
            self._line_ends.append(end)

    def rebuilt(self, entries: Iterable[int | str]) -> WrappedTexts:
        """Return these texts in this order: old ones by index, not wrapped again, and new ones."""
        other = WrappedTexts(self._width)
        for entry in entries:
            if isinstance(entry, int):
                other.texts.append(self.texts[entry])
                other._spans.append(self._spans[entry])
            else:
                other.texts.append(entry)
                other._spans.append(wrap(entry, self._width))
        other._line_ends = list(accumulate(map(len, other._spans)))
        return other

    def rewrapped(self, width: int) -> WrappedTexts:
        """Return the same texts wrapped to another width."""
        other = WrappedTexts(width)
        other.extend(self.texts)
        return other

    def locate(self, line: int) -> tuple[int, int]:
        """Return the index of the text at a line, and the line's number in it. Raises `IndexError`."""
        if not 0 <= line < self.num_lines:
            raise IndexError(line)
        index = bisect_right(self._line_ends, line)
        return index, line - self.first_line(index)

    def lines_of(self, index: int) -> range:
        """Return the line numbers of a text."""
        return range(self.first_line(index), self._line_ends[index])

    def first_line(self, index: int) -> int:
        """Return the first line number of a text."""
        return self._line_ends[index] - len(self._spans[index])

    def span(self, index: int, line: int) -> Span:
        """Return start and end of a line in its text."""
        return self._spans[index][line]
