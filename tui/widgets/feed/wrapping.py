"""An index of the lines of a long list of wrapped texts. Never imports a widget."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

from tui.formatting.cells import Span, wrap


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
