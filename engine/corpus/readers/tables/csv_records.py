"""From lines to the records of a CSV file, so that a quotation mark that is never closed costs one row and not half.

Python's csv reads on to the next quotation mark, wherever that is. Here a record of several lines must obey the rules
to the letter and end within bounds; else its first line is dropped, and reading goes on at the second. That stays
linear: a line that was inside of a failed record, and that leaves a quotation open by itself, would only run into the
same end, so it is not tried again.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator

from engine.corpus.readers.lines import Line
from engine.corpus.types import DroppedRow, example

MAX_RECORD_LINES = 1000
MAX_RECORD_CHARS = 1_000_000
NEVER_CLOSED = "with a quotation mark that is never closed"
OVER_LONG_FIELD = "with a field over 128 KB"

Record = tuple[int, list[str]]
"""The number of its first line, and its fields; none on a blank line."""


class _NeverClosedError(Exception):
    """A quotation is still open where it would have to be closed."""


class CsvRecords:
    """The records of a CSV file in order; an iterator that is used up."""

    def __init__(self, lines: Iterable[Line], delimiter: str) -> None:
        """Stand before the first line."""
        self._lines = enumerate(lines, start=1)
        self._delimiter = delimiter
        self._given_back: deque[tuple[int, Line]] = deque()
        self._tried_before_line = 0

    def __iter__(self) -> Iterator[Record | DroppedRow]:
        """Return each record, or why there is none."""
        while (numbered := self._next_line()) is not None:
            number, line = numbered
            if isinstance(line, DroppedRow):
                yield line
            elif '"' in line:
                yield self._quoted_record(number, line)
            else:
                yield number, line.split(self._delimiter) if line else []

    def _next_line(self) -> tuple[int, Line] | None:
        return self._given_back.popleft() if self._given_back else next(self._lines, None)

    def _quoted_record(self, number: int, line: str) -> Record | DroppedRow:
        """Return the record that begins with this line, or why there is none; then only this line is used up."""
        taken: list[tuple[int, Line]] = [(number, line)]
        try:
            fields = next(csv.reader(self._taking(line, taken), delimiter=self._delimiter))
            if len(taken) > 1:
                whole = "\n".join(_text(each) for _, each in taken)
                next(csv.reader([whole], delimiter=self._delimiter, strict=True))
        except (csv.Error, _NeverClosedError) as error:
            self._given_back.extendleft(reversed(taken[1:]))
            self._tried_before_line = max(self._tried_before_line, taken[-1][0])
            is_open = len(taken) > 1 or isinstance(error, _NeverClosedError)
            return DroppedRow(NEVER_CLOSED if is_open else OVER_LONG_FIELD, example(f"line {number}", line))
        return next((line for _, line in taken if isinstance(line, DroppedRow)), (number, fields))

    def _taking(self, line: str, taken: list[tuple[int, Line]]) -> Iterator[str]:
        """Return the line taken already, then take more as long as they are asked for: as a quotation is open."""
        yield line
        number = taken[0][0]
        num_chars = len(line)
        while True:
            is_hopeless = number < self._tried_before_line or len(taken) >= MAX_RECORD_LINES
            numbered = None if is_hopeless or num_chars > MAX_RECORD_CHARS else self._next_line()
            if numbered is None:
                raise _NeverClosedError
            taken.append(numbered)
            text = _text(numbered[1])
            num_chars += len(text)
            yield "\n" + text


def _text(line: Line) -> str:
    """Return a line's text: none where it is unusable, which makes its whole record so."""
    return line if isinstance(line, str) else ""
