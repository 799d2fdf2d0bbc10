r"""From lines to CSV records. An unclosed quotation mark drops one row, never the rest of the file.

Python's csv reads on to the next quotation mark, wherever that is. Here a record of several lines must be strictly
valid and within limits; else its first line is dropped, and parsing continues at the second. This is linear: a line
inside a failed record that opens a quotation would fail at the same end, so it is not tried again.

Spark and MySQL write a quotation mark inside a field as `\"`, not `""`; some programs write a blank before each quoted
field; many files delimited by tabs or pipes have no quoting at all: a quotation mark is a character of the text.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from engine.corpus.readers.reader import DroppedRow, example
from engine.corpus.readers.table import Record
from engine.corpus.readers.text_reader import Line

Quoting = Literal["doubled", "escaped", "spaced", "literal"]
"""How quotation marks are written; "spaced" is "doubled" with a blank before each quoted field."""

MAX_RECORD_LINES = 1000
MAX_RECORD_CHARS = 1_000_000
NEVER_CLOSED = "with a quotation mark that is never closed"
OVER_LONG_FIELD = "with a field over 128 KB"

_BACKSLASHES = re.compile(r'(?<!\\)(\\++)"')
_MAX_QUOTED_SHARE = 0.5
"""Share of properly quoted lines up to which the quotation marks may be part of the texts."""
_MIN_LITERAL_SHARE = 0.95


def find_quoting(lines: Iterable[Line], delimiter: str) -> Quoting:
    """Return how the first lines of a file write quotation marks; "doubled" unless another way fits better."""
    texts = [line for line in lines if isinstance(line, str) and line]
    marked = [line for line in texts if '"' in line]
    num_valid = _num_valid(marked, delimiter)
    others: tuple[Quoting, ...] = ("escaped", "spaced")
    for quoting in others:
        doubled = [_doubled(line, delimiter, quoting) for line in marked]
        if doubled != marked and _num_valid(doubled, delimiter) > num_valid:
            return quoting
    return "literal" if delimiter in "\t|" and _are_literal(texts, marked, delimiter) else "doubled"


def csv_records(
    lines: Iterable[Line], delimiter: str, quoting: Quoting = "doubled", first_number: int = 1
) -> Iterator[Record | DroppedRow]:
    """Yield the records of lines, or why one is dropped; the first line is line `first_number` of the file."""
    if quoting in {"escaped", "spaced"}:
        lines = (_doubled(line, delimiter, quoting) if isinstance(line, str) else line for line in lines)
    records = _QuotedRecords(lines, delimiter, first_number)
    while (numbered := records.next_line()) is not None:
        number, line = numbered
        if isinstance(line, DroppedRow):
            yield line
        elif '"' in line and quoting != "literal":
            yield records.record(number, line)
        else:
            yield number, line.split(delimiter) if line else []


def num_fields(lines: Sequence[str], delimiter: str) -> int:
    """Return the number of fields of the first record if it is strictly valid CSV, else 0."""
    try:
        return len(next(csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True)))
    except csv.Error:
        return 0


class _NeverClosedError(Exception):
    """A quotation is not closed within the limits."""


class _QuotedRecords:
    """Parses records with quotation marks; the lines of one that is not valid are read again."""

    def __init__(self, lines: Iterable[Line], delimiter: str, first_number: int) -> None:
        self._lines = enumerate(lines, start=first_number)
        self._delimiter = delimiter
        self._pushed_back: deque[tuple[int, Line]] = deque()
        self._tried_before_line = 0

    def next_line(self) -> tuple[int, Line] | None:
        """Consume and return the next line with its number, or None at the end."""
        return self._pushed_back.popleft() if self._pushed_back else next(self._lines, None)

    def record(self, number: int, line: str) -> Record | DroppedRow:
        """Return the record that starts with this line, or why it is dropped; then only this line is consumed."""
        if '\\"' in line and not num_fields([line], self._delimiter):
            doubled = _doubled(line, self._delimiter, "escaped")
            line = doubled if num_fields([doubled], self._delimiter) else line
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

    def _lines_of_record(self, line: str, consumed: list[tuple[int, Line]]) -> Iterator[str]:
        """Yield the first line, then consume more while the parser requests them: while a quotation is open."""
        yield line
        number = consumed[0][0]
        num_chars = len(line)
        while True:
            is_hopeless = number < self._tried_before_line or len(consumed) >= MAX_RECORD_LINES
            numbered = None if is_hopeless or num_chars > MAX_RECORD_CHARS else self.next_line()
            if numbered is None:
                raise _NeverClosedError
            consumed.append(numbered)
            text = _text(numbered[1])
            num_chars += len(text)
            yield "\n" + text


def _text(line: Line) -> str:
    """Return a line's text; "" if it is dropped, which drops its whole record."""
    return line if isinstance(line, str) else ""


def _doubled(line: str, delimiter: str, quoting: Quoting) -> str:
    r"""Return a line with its quotation marks doubled, and no blank before a quoted field.

    One of two backslashes before a quotation mark is a character.
    """
    if quoting == "spaced":
        return re.sub(rf'{re.escape(delimiter)} "(?!")', f'{delimiter}"', line)

    def doubled(match: re.Match[str]) -> str:
        num_pairs, is_escaped = divmod(len(match[1]), 2)
        return "\\" * num_pairs + ('""' if is_escaped else '"')

    return _BACKSLASHES.sub(doubled, line)


def _num_valid(lines: Sequence[str], delimiter: str) -> int:
    """Return the number of strictly valid lines with the most frequent number of fields."""
    widths = Counter(width for line in lines if (width := num_fields([line], delimiter)))
    return max(widths.values(), default=0)


def _are_literal(texts: Sequence[str], marked: Sequence[str], delimiter: str) -> bool:
    """Return whether quotation marks are characters of the texts: some are invalid as CSV, and few lines are quoted."""
    valid = [line for line in marked if num_fields([line], delimiter)]
    if len(valid) == len(marked) or len(valid) > _MAX_QUOTED_SHARE * len(texts) or any('""' in line for line in valid):
        return False
    widths = Counter(line.count(delimiter) for line in texts)
    usual = widths.most_common(1)[0][0]
    return sum(line.count(delimiter) == usual for line in marked) >= _MIN_LITERAL_SHARE * len(marked)
