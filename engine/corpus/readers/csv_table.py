"""What the readers of CSV share: the first lines of a file, and its rows once its layout is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.corpus.readers.csv_dialect import Layout
from engine.corpus.readers.csv_records import CsvRecords
from engine.corpus.readers.lines import Line, line_example
from engine.corpus.rows import Row, Unusable

TOO_MANY_COLUMNS = "with too many columns"
TOO_FEW_COLUMNS = "with too few columns"
BLANK_LINE = "empty"
_HEAD_LINES = 1000
_HEAD_CHARS = 1_000_000


def first_lines(lines: Iterator[Line]) -> list[Line]:
    """Take as many lines as a layout is found from."""
    head: list[Line] = []
    num_chars = 0
    while len(head) < _HEAD_LINES and num_chars < _HEAD_CHARS and (line := next(lines, None)) is not None:
        head.append(line)
        num_chars += len(line) if isinstance(line, str) else 0
    return head


def table_rows(lines: Iterable[Line], layout: Layout) -> Iterator[Row]:
    """Return a row for each record but the header: its text, or why it has none."""
    is_header_ahead = layout.has_header
    rule, label_column, text_column = layout.label_rule, layout.label_column, layout.text_column
    for record in CsvRecords(lines, layout.delimiter):
        if isinstance(record, Unusable):
            yield record
            continue
        number, fields = record
        if is_header_ahead and fields:
            is_header_ahead = False
        elif len(fields) != layout.num_columns:
            yield Unusable(_ragged(fields, layout), line_example(number, layout.delimiter.join(fields)))
        elif rule is not None and (reason := rule.reason_against(fields[label_column])):
            yield Unusable(reason, line_example(number, fields[text_column]))
        else:
            yield fields[text_column]


def _ragged(fields: list[str], layout: Layout) -> str:
    """Return what is wrong with the number of a record's fields."""
    if not fields:
        return BLANK_LINE
    return TOO_MANY_COLUMNS if len(fields) > layout.num_columns else TOO_FEW_COLUMNS
