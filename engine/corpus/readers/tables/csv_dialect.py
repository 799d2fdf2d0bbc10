"""Detects the dialect of a CSV file from its first lines. Add a new delimiter here.

Quotation marks are parsed in `csv_records`; header and columns are found in `table_layout`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from engine.config.corpus import CorpusConfig
from engine.corpus.files.archive_entries import suffix_of
from engine.corpus.readers.lines import Line
from engine.corpus.readers.tables.columns import is_number
from engine.corpus.readers.tables.csv_quoting import Quoting, find_quoting, parsed
from engine.corpus.readers.tables.table_layout import TableLayout, find_layout
from engine.corpus.types import DroppedRow, Row, Source
from engine.text import harmless

DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_TAB_SUFFIXES = (".tsv", ".tab")
"""Suffixes of files in which no comma is a delimiter, in a single column either."""
_QUOTING_NOTES = {
    "escaped": r"quotation marks are escaped by a backslash",
    "literal": "quotation marks are part of the text",
}
_SEPARATOR_LINE = re.compile(r'"?sep=([^\w"])"?', re.IGNORECASE)
"""The first line by which Excel sets the delimiter; it is not a row of the table."""
_HEAD_LINES = 1000
_HEAD_CHARS = 1_000_000
_DELIMITER_LINES = 100
_MIN_SHARE = 0.5
"""Least share of the first records with the most frequent number of columns, for a table."""
_MIN_PROSE_SHARE, _MIN_PROSE_RECORDS = 0.95, 10
"""The same if a blank follows each delimiter, as after commas in prose."""


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV file is written, and the layout of its columns."""

    delimiter: str
    quoting: Quoting
    num_skipped: int
    """Lines before the first record."""
    layout: TableLayout

    def rows(self, lines: Iterable[Line]) -> Iterator[Row]:
        """Yield a row for each record except the header: its text, or why it is dropped."""
        rest = islice(lines, self.num_skipped, None) if self.num_skipped else lines
        records = parsed(rest, self.delimiter, self.quoting, 1 + self.num_skipped)
        return self.layout.rows(records, delimiter=self.delimiter)


def first_lines(lines: Iterator[Line]) -> list[Line]:
    """Consume and return the lines for detection."""
    head: list[Line] = []
    num_chars = 0
    while len(head) < _HEAD_LINES and num_chars < _HEAD_CHARS and (line := next(lines, None)) is not None:
        head.append(line)
        num_chars += len(line) if isinstance(line, str) else 0
    return head


class Sample:
    """The first records of a file, parsed with one delimiter."""

    def __init__(self, lines: Sequence[Line], delimiter: str, quoting: Quoting = "doubled") -> None:
        """Parse the lines; dropped records, and one truncated at the end, are ignored."""
        self.delimiter, self.quoting = delimiter, quoting
        records = list(parsed(lines, delimiter, quoting))
        self.records = [record[1] for record in records if isinstance(record, tuple) and record[1]]
        self.num_blank = sum(isinstance(record, tuple) and not record[1] for record in records)
        self.num_dropped = sum(isinstance(record, DroppedRow) for record in records)
        widths = Counter(map(len, self.records))
        self.num_columns, count = widths.most_common(1)[0] if widths else (1, 0)
        self.share = count / max(1, len(self.records))
        """Share of the records with `num_columns`, 0 to 1."""

    def is_table(self) -> bool:
        """Return whether most records have the same number of columns, and it is not prose with commas."""
        if self.num_columns < 2:
            return False
        if not self.is_prose():
            return self.share >= _MIN_SHARE
        return self.share >= _MIN_PROSE_SHARE and len(self.records) >= _MIN_PROSE_RECORDS

    def is_prose(self) -> bool:
        """Return whether every delimiter is followed by a blank in most records, as in prose."""
        wide = [fields for fields in self.records if len(fields) == self.num_columns]
        prose = [fields for fields in wide if all(field.startswith(" ") for field in fields[1:])]
        return sum(not is_number(fields[0]) for fields in prose) > len(wide) / 2


def separator_of(lines: Sequence[Line]) -> str | None:
    """Return the delimiter that the file's first line sets for Excel (`sep=;`), or None."""
    match = _SEPARATOR_LINE.fullmatch(lines[0].strip(" ")) if lines and isinstance(lines[0], str) else None
    return match[1] if match else None


def find_sample(lines: Sequence[Line], column: str | None = None) -> Sample:
    """Return the first records, parsed with the delimiter that fits best, by default a comma.

    A delimiter whose header contains `column` wins; that of a `sep=` line decides, and the line is no record.
    """
    if separator := separator_of(lines):
        return Sample(lines[1:], separator, find_quoting(lines[1:], separator))
    first = lines[:_DELIMITER_LINES]
    samples = [Sample(first, delimiter, find_quoting(first, delimiter)) for delimiter in DELIMITER_NAMES]
    delimiter = _best(samples, column).delimiter
    return Sample(lines, delimiter, find_quoting(lines, delimiter))


def _best(samples: Sequence[Sample], column: str | None) -> Sample:
    for sample in samples:
        if column and sample.records and len(sample.records[0]) > 1 and column.casefold() in _folded(sample.records[0]):
            return sample
    tables = [sample for sample in samples if sample.is_table()]
    return max(tables, key=lambda sample: (sample.share, sample.num_columns, not sample.is_prose()), default=samples[0])


def find_dialect(lines: Sequence[Line], source: Source, config: CorpusConfig) -> CsvDialect:
    """Return the dialect of a file with these first lines, and add notes to `source`.

    Raises `CorpusError` if a column of `config` does not exist.
    """
    sample = find_sample(lines, config.column or config.label_column)
    if not sample.is_table() and suffix_of(source.name) in _TAB_SUFFIXES:
        sample = Sample(lines, "\t", find_quoting(lines, "\t"))
    num_skipped = 1 if separator_of(lines) else 0
    if sample.delimiter != ",":
        name = DELIMITER_NAMES.get(sample.delimiter, harmless(sample.delimiter))
        source.notes.append(f"{name}-separated" + (", as its first line sets" if num_skipped else ""))
    if sample.quoting in _QUOTING_NOTES:
        source.notes.append(_QUOTING_NOTES[sample.quoting])
    is_wide = config.column is not None or num_skipped > 0 or sample.is_table()
    layout = find_layout(sample.records, source, config, num_columns=sample.num_columns if is_wide else 1)
    return CsvDialect(sample.delimiter, sample.quoting, num_skipped, layout)


def _folded(fields: Sequence[str]) -> list[str]:
    return [field.strip().casefold() for field in fields]
