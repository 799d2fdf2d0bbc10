"""CSV in any dialect, detected by the first lines.

Tweets are in one column, detected or set by --column, filtered by label. A record with another number of fields than
the table is dropped, unless it only leaves out the last ones, or has too many because of its text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import BinaryIO

from engine.config.corpus import DELIMITERS, CorpusConfig
from engine.corpus.cleaning import doubt_about_columns
from engine.corpus.files.archives import suffix_of
from engine.corpus.readers.columns import (
    is_category,
    is_number,
    is_text_name,
    is_textless,
    is_textless_cell,
    text_column,
)
from engine.corpus.readers.csv_records import csv_records, find_quoting, num_fields
from engine.corpus.readers.reader import DroppedRow, Format, Row, Source, head_of, of_one_file
from engine.corpus.readers.table import Table, find_table, is_header
from engine.corpus.readers.text_reader import Line, decoded_lines, head_lines
from engine.text import counted, sanitize_line

DELIMITER_NAMES = dict(zip(DELIMITERS, ("comma", "semicolon", "tab", "pipe"), strict=True))
_TAB_SUFFIXES = (".tsv", ".tab")
"""Suffixes of files in which no comma is a delimiter, in a single column either."""
_QUOTING_NOTES = {
    "escaped": r"quotation marks are escaped by a backslash",
    "literal": "quotation marks are part of the text",
}
_SEPARATOR_LINE = re.compile(r'"?sep=([^\w"])"?', re.IGNORECASE)
"""The first line by which Excel sets the delimiter; it is not a row of the table."""
_DELIMITER_LINES = 100
_MIN_SHARE = 0.5
"""Least share of the first records with the most frequent number of columns, for a table."""
_MIN_PROSE_SHARE, _MIN_PROSE_RECORDS = 0.95, 10
"""Least share, and least records, if a blank follows each delimiter, as after commas in prose."""
_CLEAR_SHARE = 0.7
"""Least share to detect CSV by content alone."""
_CLEAR_QUOTED_SHARE = 0.9
_CERTAIN_SHARE = 0.98
"""Least share to read a file as CSV that is called plain text."""
_MIN_CERTAIN_RECORDS, _MIN_CERTAIN_TABBED = 3, 2
_MIN_TABBED_RECORDS = 10
_MIN_COMPLETE_RECORDS = 10
"""Complete records from which it is known what is in a column."""
_MIN_VALUE_SHARE = 0.95
_MIN_TEXT_SHARE = 0.8
"""Least share of the characters of several words that are in the widest column, to repair from that one."""


def csv_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per record except the header. Raises `CorpusError` if `config.column` does not exist."""
    lines = decoded_lines(file, source)
    head = head_of(lines)
    sample = find_sample(head, config.column or config.label_column)
    if not sample.is_table() and suffix_of(source.name) in _TAB_SUFFIXES:
        sample = Sample(head, "\t")
    delimiter, name = sample.delimiter, DELIMITER_NAMES.get(sample.delimiter, sanitize_line(sample.delimiter))
    num_skipped = 1 if _separator_of(head) else 0
    if delimiter != ",":
        source.notes.append(f"{name}-separated" + (", as its first line sets" if num_skipped else ""))
    if sample.quoting in _QUOTING_NOTES:
        source.notes.append(_QUOTING_NOTES[sample.quoting])
    is_wide = config.column is not None or num_skipped > 0 or sample.is_table()
    records = _with_joined_texts(sample.records, delimiter) if sample.has_header else sample.records
    table = find_table(records, source, config, num_columns=sample.num_columns if is_wide else 1)
    if table.has_header:
        records = records[1:]
    repairer = _find_repairer(records, table, delimiter, has_quoting=sample.quoting != "literal")
    if table.num_columns == 1:
        source.doubt = doubt_about_columns(fields[0] for fields in records if len(fields) == 1)
    elif repairer is not None and len(texts := repairer.texts(records)) > len(records) / 2:
        source.doubt = doubt_about_columns(texts)  # most records are wider than the header
    rest = islice(chain(head, lines), num_skipped, None)
    parsed = csv_records(rest, delimiter, sample.quoting, 1 + num_skipped)
    yield from table.rows(parsed, delimiter=delimiter, repair=repairer.repair if repairer else None)
    if repairer is not None and repairer.num_repaired:
        source.notes.append(f"{counted(repairer.num_repaired, 'row')} with an unquoted {name} in the text repaired")


# The dialect ----------------------------------------------------------------------------------------------------------


class Sample:
    """The first records of a file, parsed with one delimiter."""

    def __init__(self, lines: Sequence[Line], delimiter: str) -> None:
        """Parse the lines; dropped records, and one truncated at the end, are ignored."""
        self.delimiter = delimiter
        self.quoting = find_quoting(lines, delimiter)
        parsed = list(csv_records(lines, delimiter, self.quoting))
        self.records = [record[1] for record in parsed if not isinstance(record, DroppedRow) and record[1]]
        self.num_others = len(parsed) - len(self.records)
        """Blank lines and dropped records."""
        first, *others = self.records or [[]]
        num_full = sum(len(fields) >= len(first) for fields in others)
        self.has_header = bool(first) and num_full >= _MIN_SHARE * len(others) and is_header(first, others)
        """Whether the first record is a header, of columns that most records have, or of a single one."""
        widths = Counter(map(len, self.records))
        usual = widths.most_common(1)[0][0] if widths else 1
        self.num_columns = len(first) if self.has_header else usual
        num_even = sum(
            count
            for width, count in widths.items()
            if width == self.num_columns or (self.has_header and width > self.num_columns)
        )
        self.share = num_even / max(1, len(self.records))
        """Share of the records with `num_columns`, 0 to 1; below a header, also of those with more."""
        self.complete = [fields for fields in self.records if len(fields) == self.num_columns]
        """The records with `num_columns`."""

    def is_table(self) -> bool:
        """Return whether most records have the same number of columns, and it is not prose with commas."""
        if self.num_columns < 2:
            return False
        if not self.is_prose():
            return self.share >= _MIN_SHARE
        return self.share >= _MIN_PROSE_SHARE and len(self.records) >= _MIN_PROSE_RECORDS

    def is_prose(self) -> bool:
        """Return whether every delimiter is followed by a blank in most records, as in prose."""
        prose = [fields for fields in self.complete if all(field.startswith(" ") for field in fields[1:])]
        return sum(not is_number(fields[0]) for fields in prose) > len(self.complete) / 2

    def score(self) -> tuple[bool, bool, float, int]:
        """Return how well the delimiter fits: best where it splits a header, worst for a comma in prose or numbers."""
        wide = self.complete if self.delimiter == "," else []
        decimal = [each for each in wide if all(a[-1:].isdigit() and b[:1].isdigit() for a, b in pairwise(each))]
        is_in_text = self.is_prose() or len(decimal) > len(wide) / 2
        return self.has_header, not is_in_text, self.share, self.num_columns


def find_sample(lines: Sequence[Line], column: str | None = None) -> Sample:
    """Return the first records, parsed with the delimiter that fits best, by default a comma.

    A `sep=` line decides, and is no record; else a delimiter whose header contains `column` wins.
    """
    if separator := _separator_of(lines):
        return Sample(lines[1:], separator)
    samples = [Sample(lines[:_DELIMITER_LINES], delimiter) for delimiter in DELIMITER_NAMES]
    tables = [sample for sample in samples if sample.is_table()]
    best = max(tables, key=Sample.score, default=samples[0])
    for sample in reversed(samples):
        first = sample.records[0] if sample.records else []
        if column and len(first) > 1 and column.casefold() in [field.strip().casefold() for field in first]:
            best = sample
    return Sample(lines, best.delimiter)


def _separator_of(lines: Sequence[Line]) -> str | None:
    """Return the delimiter that the file's first line sets for Excel (`sep=;`), or None."""
    match = _SEPARATOR_LINE.fullmatch(lines[0].strip(" ")) if lines and isinstance(lines[0], str) else None
    return match[1] if match else None


# Unquoted delimiters in the text --------------------------------------------------------------------------------------


@dataclass
class _Repairer:
    """Repairs records with too many fields: those with a delimiter in the text that is not quoted; counts them.

    The text's fields are joined again if the other fields then are what they are in complete records: numbers, dates,
    links or single words. Where that is not certain, a record stays as it is, and is dropped and counted.
    """

    delimiter: str
    num_columns: int
    text_index: int
    """The widest column with several words."""
    value_columns: Mapping[int, Callable[[str], bool]]
    """Columns of numbers, of single words, or of dates and links, with the test of a cell."""
    has_quoting: bool
    """Whether quotation marks have been removed from fields."""
    num_repaired: int = 0

    def repair(self, fields: list[str]) -> list[str] | None:
        """Return a record with `num_columns` fields, or None if these can't be repaired; count it."""
        whole = self._whole(fields)
        self.num_repaired += whole is not None
        return whole

    def texts(self, records: Sequence[list[str]]) -> list[str]:
        """Return the texts of the records that `repair` would repair."""
        return [whole[self.text_index] for fields in records if (whole := self._whole(fields)) is not None]

    def _whole(self, fields: list[str]) -> list[str] | None:
        end = self.text_index + 1 + len(fields) - self.num_columns
        text = self.delimiter.join(fields[self.text_index : end])
        if len(fields) <= self.num_columns or (self.has_quoting and '"' in text):
            return None
        whole = [*fields[: self.text_index], text, *fields[end:]]
        are_values = all(is_value(whole[column]) for column, is_value in self.value_columns.items())
        return whole if are_values else None


def _find_repairer(
    records: Sequence[list[str]], table: Table, delimiter: str, *, has_quoting: bool
) -> _Repairer | None:
    """Return what repairs the records of a table, given the first ones without the header.

    None if complete records do not show it. A single column needs only its header. The table's text column counts as
    one with several words in any case.
    """
    num_columns = table.num_columns
    if num_columns == 1:
        is_text = table.has_header and not _has_unnamed_column(records, num_columns)
        return _Repairer(delimiter, 1, 0, {}, has_quoting) if is_text else None
    complete = [fields for fields in records if len(fields) == num_columns]
    if len(complete) < _MIN_COMPLETE_RECORDS:
        return None
    cells = dict(enumerate(zip(*complete, strict=True)))
    values = {each: test for each in cells if each != table.text_index and (test := _test_of(cells[each]))}
    widths = {each: sum(map(len, cells[each])) for each in cells if each not in values}
    widest = max(widths, key=lambda each: widths[each])
    if not values or widths[widest] < _MIN_TEXT_SHARE * sum(widths.values()):
        return None
    return _Repairer(delimiter, num_columns, widest, values, has_quoting)


def _with_joined_texts(records: Sequence[list[str]], delimiter: str) -> Sequence[list[str]]:
    """Return records, of which the first is the header, with the rest of too wide ones joined in the last column.

    Only if that has a usual name of texts, and fewer records are complete than show what is in the other columns.
    """
    header, *others = records
    last = len(header) - 1
    num_complete = sum(len(fields) == len(header) for fields in others)
    is_known = num_complete >= _MIN_COMPLETE_RECORDS
    if is_known or not is_text_name(header[last]) or _has_unnamed_column(others, len(header)):
        return records
    return [[*fields[:last], delimiter.join(fields[last:])] if len(fields) > last else fields for fields in records]


def _has_unnamed_column(records: Sequence[list[str]], num_columns: int) -> bool:
    """Return whether too wide records have a column of values first or last where the last column of the header is."""
    wide = [fields[num_columns - 1 :] for fields in records if len(fields) > num_columns]
    ends = zip(*((rest[0], rest[-1]) for rest in wide), strict=True)
    return len(wide) >= _MIN_COMPLETE_RECORDS and any(_test_of(cells) for cells in ends)


def _test_of(cells: Sequence[str]) -> Callable[[str], bool] | None:
    """Return the test that nearly all cells of a column pass, or None if they are texts."""
    min_passed = _MIN_VALUE_SHARE * len(cells)
    return next((test for test in (is_number, _is_word, is_textless_cell) if sum(map(test, cells)) >= min_passed), None)


def _is_word(cell: str) -> bool:
    return len(cell.split()) == 1


# The format -----------------------------------------------------------------------------------------------------------


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a table, or as one column with a quoted first field."""
    lines = _lines_of(head)
    if not lines or _separator_of(lines):
        return bool(lines)
    sample = find_sample(lines)
    if sample.is_table():
        return sample.share >= _CLEAR_SHARE and len(sample.records) > 1
    return sample.share >= _CLEAR_QUOTED_SHARE and lines[0].startswith('"') and num_fields(lines, sample.delimiter) > 0


def is_certain(head: bytes) -> bool:
    """Return whether a file is certainly a table, so that it is read as one even if it is called `.txt`.

    Nearly all lines have the same number of columns, and these are no prose that has a delimiter in every line: a
    column of texts is beside one of numbers, ids, dates or labels, or has a usual name. The same number of tabs in many
    lines is enough. A single column is quoted in most lines as CSV, not by an author: with doubled quotation marks.
    """
    lines = _lines_of(head)
    if not lines or _separator_of(lines):
        return bool(lines)
    sample = find_sample(lines)
    if sample.share < _CERTAIN_SHARE or sample.num_others > (1 - _CERTAIN_SHARE) * len(lines):
        return False
    if sample.num_columns == 1:
        quoted = [line for line in lines if line.startswith('"') and num_fields([line], ",")]
        return any('""' in line[1:-1] for line in quoted) and len(quoted) > len(lines) / 2
    is_tabbed = sample.delimiter == "\t"
    header, rows = (sample.records[0], sample.complete[1:]) if sample.has_header else ([], sample.complete)
    has_enough = len(sample.records) >= (_MIN_CERTAIN_TABBED if is_tabbed else _MIN_CERTAIN_RECORDS) and bool(rows)
    text = text_column(header, rows)
    if text is None or not has_enough or sample.is_prose():
        return False
    columns = [[cell for each in cells if (cell := each.strip())] for cells in zip(*rows, strict=True)]
    is_even = is_tabbed and len(rows) >= _MIN_TABBED_RECORDS and all(len(each) > len(rows) / 2 for each in columns)
    is_named = bool(header) and is_text_name(header[text.index])
    is_labelled = not is_category(columns[text.index]) and any(map(is_category, columns))
    return is_even or is_named or is_labelled or any(map(is_textless, columns))


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
