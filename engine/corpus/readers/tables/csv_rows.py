"""CSV: tweets from one column, detected or set by --column, filtered by label. Detection is in `csv_dialect`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.columns import is_category, is_text_name, is_textless, text_column
from engine.corpus.readers.lines import decoded_lines, first_lines, head_lines
from engine.corpus.readers.reader import Format, Row, Source, of_one_file
from engine.corpus.readers.table import is_header
from engine.corpus.readers.tables.csv_dialect import find_dialect, find_sample, separator_of
from engine.corpus.readers.tables.csv_records import num_fields

_CLEAR_SHARE = 0.7
"""Least share of records with the same number of columns, to detect CSV by content alone."""
_CLEAR_QUOTED_SHARE = 0.9
_CERTAIN_SHARE = 0.98
"""The same for a file that is called plain text."""
_MIN_CERTAIN_RECORDS = {True: 2, False: 3}
"""Records, with and without tabs, from which a file is certainly a table."""
_MIN_TABBED_RECORDS = 10


def csv_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per record except the header. Raises `CorpusError` if `config.column` does not exist.

    The text is in `config.column` (a name in the header, or a number from 1), or else in the column with a usual name,
    or with the greatest mean length. A record with another number of columns is dropped, unless it only leaves out the
    last ones, or has too many because of its text.
    """
    lines = decoded_lines(file, source)
    head = first_lines(lines)
    dialect = find_dialect(head, source, config)
    yield from dialect.rows(chain(head, lines))
    source.notes += dialect.notes_at_end()


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a table, or as one column with a quoted first field."""
    lines = _lines_of(head)
    if not lines:
        return False
    if separator_of(lines):
        return True
    sample = find_sample(lines)
    if sample.is_table():
        return sample.share >= _CLEAR_SHARE and len(sample.records) > 1
    return sample.share >= _CLEAR_QUOTED_SHARE and lines[0].startswith('"') and num_fields(lines, sample.delimiter) > 0


def is_certain(head: bytes) -> bool:
    """Return whether a file is certainly a table, so that it is read as one even if it is called `.txt`.

    Nearly all lines have the same number of columns, and a header, numbers, dates or labels show that they are columns;
    or nearly all are a single column, most of them quoted, with quotation marks doubled.
    """
    lines = _lines_of(head)
    if not lines:
        return False
    if separator_of(lines):
        return True
    sample = find_sample(lines)
    num_others = sample.num_dropped + sample.num_blank
    is_even = sample.share >= _CERTAIN_SHARE and num_others <= (1 - _CERTAIN_SHARE) * len(lines)
    if not is_even:
        return False
    if sample.num_columns == 1:
        return _is_quoted_column(lines)
    return not sample.is_prose() and _is_certain_table(sample.records, is_tab_separated=sample.delimiter == "\t")


def _is_certain_table(records: Sequence[list[str]], *, is_tab_separated: bool) -> bool:
    """Return whether records of one width are certainly a table, not prose that has a delimiter in every line.

    A column of texts is beside one of numbers, ids, dates or labels, or has a usual name. The same number of tabs in
    many lines is enough: no prose is written so.
    """
    first, *others = records or [[]]
    if len(records) < _MIN_CERTAIN_RECORDS[is_tab_separated]:
        return False
    header = first if is_header(first, others) else []
    rows = [each for each in (others if header else records) if len(each) == len(first)]
    text = text_column(header, rows)
    if text is None or not rows:
        return False
    columns = [[cell for each in cells if (cell := each.strip())] for cells in zip(*rows, strict=True)]
    is_even = (
        is_tab_separated and len(rows) >= _MIN_TABBED_RECORDS and all(len(each) > len(rows) / 2 for each in columns)
    )
    is_named = bool(header) and is_text_name(header[text.index])
    is_labelled = not is_category(columns[text.index]) and any(map(is_category, columns))
    return is_even or is_named or is_labelled or any(map(is_textless, columns))


def _is_quoted_column(lines: list[str]) -> bool:
    """Return whether most lines are quoted as CSV, not by an author: with doubled quotation marks inside."""
    quoted = [line for line in lines if line.startswith('"') and num_fields([line], ",")]
    is_doubled = any('""' in line[1:-1] for line in quoted)
    return is_doubled and len(quoted) > len(lines) / 2


def _lines_of(head: bytes) -> list[str]:
    """Return the lines of a file's first bytes; an empty list if it starts as JSON."""
    lines = head_lines(head)
    return [] if lines and lines[0].lstrip().startswith(("{", "[")) else lines


CSV = Format(
    name="csv",
    rows=of_one_file(csv_rows),
    suffixes=(".csv", ".tsv", ".tab"),
    other_suffixes=(".txt", ".text"),
    has_columns=True,
)
