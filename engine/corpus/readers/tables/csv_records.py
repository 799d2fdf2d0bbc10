r"""From lines to CSV records. An unclosed quotation mark drops one row, never the rest of the file.

Python's csv reads on to the next quotation mark, wherever that is. Here a record of several lines must be strictly
valid and within limits; else its first line is dropped, and parsing continues at the second. This is linear: a line
inside a failed record that opens a quotation would fail at the same end, so it is not tried again.

A line with `\"` in place of `""`, as Spark and MySQL write it, is parsed so if it is invalid otherwise.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from engine.corpus.readers.lines import Line
from engine.corpus.readers.reader import DroppedRow, example
from engine.corpus.readers.table import Record

MAX_RECORD_LINES = 1000
MAX_RECORD_CHARS = 1_000_000
NEVER_CLOSED = "with a quotation mark that is never closed"
OVER_LONG_FIELD = "with a field over 128 KB"


_BACKSLASHES = re.compile(r'(?<!\\)(\\++)"')


class _NeverClosedError(Exception):
    """A quotation is not closed within the limits."""


class CsvRecords:
    """The records of a CSV file in order; can be iterated once."""

    def __init__(self, lines: Iterable[Line], delimiter: str, first_number: int = 1) -> None:
        self._lines = enumerate(lines, start=first_number)
        self._delimiter = delimiter
        self._pushed_back: deque[tuple[int, Line]] = deque()
        self._tried_before_line = 0

    def __iter__(self) -> Iterator[Record | DroppedRow]:
        """Yield each record, or why it is dropped."""
        while (numbered := self._next_line()) is not None:
            number, line = numbered
            if isinstance(line, DroppedRow):
                yield line
            elif '"' in line:
                yield self._quoted_record(number, line)
            else:
                yield number, line.split(self._delimiter) if line else []

    def _next_line(self) -> tuple[int, Line] | None:
        return self._pushed_back.popleft() if self._pushed_back else next(self._lines, None)

    def _quoted_record(self, number: int, line: str) -> Record | DroppedRow:
        """Return the record that starts with this line, or why it is dropped; then only this line is consumed."""
        if '\\"' in line:
            line = self._unescaped(line)
        consumed: list[tuple[int, Line]] = [(number, line)]
        try:
            fields = next(csv.reader(self._lines_of_record(line, consumed), delimiter=self._delimiter))
            if len(consumed) > 1:
                whole = "\n".join(_text(each) for _, each in consumed)
                next(csv.reader([whole], delimiter=self._delimiter, strict=True))
        except (csv.Error, _NeverClosedError) as error:
            self._pushed_back.extendleft(reversed(consumed[1:]))
            self._tried_before_line = max(self._tried_before_line, consumed[-1][0])
            is_open = len(consumed) > 1 or isinstance(error, _NeverClosedError)
            return DroppedRow(NEVER_CLOSED if is_open else OVER_LONG_FIELD, example(f"line {number}", line))
        return next((line for _, line in consumed if isinstance(line, DroppedRow)), (number, fields))

    def _unescaped(self, line: str) -> str:
        r"""Return a line with `\"` as `""` if only that is a valid record."""
        doubled = with_doubled_quotes(line)
        is_escaped = not num_fields([line], self._delimiter) and num_fields([doubled], self._delimiter)
        return doubled if is_escaped else line

    def _lines_of_record(self, line: str, consumed: list[tuple[int, Line]]) -> Iterator[str]:
        """Yield the first line, then consume more while the parser requests them: while a quotation is open."""
        yield line
        number = consumed[0][0]
        num_chars = len(line)
        while True:
            is_hopeless = number < self._tried_before_line or len(consumed) >= MAX_RECORD_LINES
            numbered = None if is_hopeless or num_chars > MAX_RECORD_CHARS else self._next_line()
            if numbered is None:
                raise _NeverClosedError
            consumed.append(numbered)
            text = _text(numbered[1])
            num_chars += len(text)
            yield "\n" + text


def _text(line: Line) -> str:
    """Return a line's text; "" if it is dropped, which drops its whole record."""
    return line if isinstance(line, str) else ""


def with_doubled_quotes(line: str) -> str:
    r"""Return a line with `\"` as `""`; of two backslashes before a quotation mark, one is a character."""

    def doubled(match: re.Match[str]) -> str:
        num_pairs, is_escaped = divmod(len(match[1]), 2)
        return "\\" * num_pairs + ('""' if is_escaped else '"')

    return _BACKSLASHES.sub(doubled, line)


def num_fields(lines: Sequence[str], delimiter: str) -> int:
    """Return the number of fields of the first record if it is strictly valid CSV, else 0."""
    try:
        return len(next(csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True)))
    except csv.Error:
        return 0
