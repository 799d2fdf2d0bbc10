r"""How a CSV file writes a quotation mark inside a field: doubled, after a backslash, or as it is.

Spark and MySQL write `\"`. Many files delimited by tabs or pipes have no quoting at all: a quotation
mark is a character of the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from engine.corpus.readers.lines import Line
from engine.corpus.readers.reader import DroppedRow
from engine.corpus.readers.table import Record
from engine.corpus.readers.tables.csv_records import CsvRecords, num_fields, with_doubled_quotes

Quoting = Literal["doubled", "escaped", "spaced", "literal"]
"""How quotation marks are written; "spaced" is "doubled" with a blank before each quoted field."""

_MAX_QUOTED_SHARE = 0.5
"""Share of properly quoted lines up to which the quotation marks may be part of the texts."""
_MIN_LITERAL_SHARE = 0.95


def parsed(
    lines: Iterable[Line], delimiter: str, quoting: Quoting, first_number: int = 1
) -> Iterator[Record | DroppedRow]:
    """Return the records of lines, the first of which is line `first_number` of the file."""
    if quoting == "literal":
        return _split(lines, delimiter, first_number)
    if quoting == "escaped":
        lines = map(_doubled, lines)
    elif quoting == "spaced":
        lines = (_unspaced(line, delimiter) for line in lines)
    return iter(CsvRecords(lines, delimiter, first_number))


def find_quoting(lines: Sequence[Line], delimiter: str) -> Quoting:
    """Return how the first lines of a file write quotation marks; "doubled" unless another way fits better."""
    texts = [line for line in lines if isinstance(line, str) and line]
    marked = [line for line in texts if '"' in line]
    if any('\\"' in line for line in marked):
        as_escaped = list(map(with_doubled_quotes, marked))
        if _num_valid(as_escaped, delimiter) > _num_valid(marked, delimiter):
            return "escaped"
    if any(f'{delimiter} "' in line for line in marked):
        unspaced = [line for each in marked if isinstance(line := _unspaced(each, delimiter), str)]
        if _num_valid(unspaced, delimiter) > _num_valid(marked, delimiter):
            return "spaced"
    return "literal" if delimiter in "\t|" and _is_literal(texts, marked, delimiter) else "doubled"


def _split(lines: Iterable[Line], delimiter: str, first_number: int) -> Iterator[Record | DroppedRow]:
    for number, line in enumerate(lines, start=first_number):
        yield line if isinstance(line, DroppedRow) else (number, line.split(delimiter) if line else [])


def _doubled(line: Line) -> Line:
    return with_doubled_quotes(line) if isinstance(line, str) and '\\"' in line else line


def _unspaced(line: Line, delimiter: str) -> Line:
    """Return a line without the blank between a delimiter and the quotation mark that begins a field."""
    return re.sub(rf'{re.escape(delimiter)} "(?!")', f'{delimiter}"', line) if isinstance(line, str) else line


def _num_valid(lines: Sequence[str], delimiter: str) -> int:
    """Return the number of strictly valid lines with the most frequent number of fields."""
    widths = Counter(width for line in lines if (width := num_fields([line], delimiter)))
    return max(widths.values(), default=0)


def _is_literal(texts: Sequence[str], marked: Sequence[str], delimiter: str) -> bool:
    """Return whether quotation marks are characters of the texts: some are invalid as CSV, and few lines are quoted."""
    valid = [line for line in marked if num_fields([line], delimiter)]
    if len(valid) == len(marked) or len(valid) > _MAX_QUOTED_SHARE * len(texts) or any('""' in line for line in valid):
        return False
    widths = Counter(line.count(delimiter) for line in texts)
    usual = widths.most_common(1)[0][0]
    return sum(line.count(delimiter) == usual for line in marked) >= _MIN_LITERAL_SHARE * len(marked)
