"""Detects the dialect of a CSV file from its first lines. Add a new delimiter here.

Quotation marks are parsed in `csv_records`; header and columns are found in `table`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from engine.config.corpus import CorpusConfig
from engine.corpus.files.archives import suffix_of
from engine.corpus.readers.columns import is_number
from engine.corpus.readers.lines import Line
from engine.corpus.readers.reader import DroppedRow, Row, Source
from engine.corpus.readers.table import Table, find_table, is_header
from engine.corpus.readers.tables.csv_quoting import Quoting, find_quoting, parsed
from engine.corpus.readers.tables.csv_repair import RecordRepairer, find_repairer, with_joined_texts
from engine.corpus.report import counted
from engine.corpus.text_quality import doubt_about_columns
from engine.text import sanitize_line

DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
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
"""The same if a blank follows each delimiter, as after commas in prose."""


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV file is written, and the layout of its columns."""

    delimiter: str
    quoting: Quoting
    num_skipped: int
    """Lines before the first record."""
    layout: Table
    repairer: RecordRepairer | None
    """Repairs records with too many fields; None if they are dropped."""

    def rows(self, lines: Iterable[Line]) -> Iterator[Row]:
        """Yield a row for each record except the header: its text, or why it is dropped."""
        rest = islice(lines, self.num_skipped, None) if self.num_skipped else lines
        records = parsed(rest, self.delimiter, self.quoting, 1 + self.num_skipped)
        repair = self.repairer.repair if self.repairer is not None else None
        return self.layout.rows(records, delimiter=self.delimiter, repair=repair)

    def notes_at_end(self) -> list[str]:
        """Return the notes that are known once all rows were read."""
        num_repaired = self.repairer.num_repaired if self.repairer is not None else 0
        what = f"with an unquoted {_name_of(self.delimiter)} in the text repaired"
        return [f"{counted(num_repaired, 'row')} {what}"] if num_repaired else []


class Sample:
    """The first records of a file, parsed with one delimiter."""

    def __init__(self, lines: Sequence[Line], delimiter: str, quoting: Quoting = "doubled") -> None:
        """Parse the lines; dropped records, and one truncated at the end, are ignored."""
        self.delimiter, self.quoting = delimiter, quoting
        records = list(parsed(lines, delimiter, quoting))
        self.records = [record[1] for record in records if isinstance(record, tuple) and record[1]]
        self.num_blank = sum(isinstance(record, tuple) and not record[1] for record in records)
        self.num_dropped = sum(isinstance(record, DroppedRow) for record in records)
        self.has_header = self._has_header()
        """Whether the first record is a header, of columns that most records have, or of a single one."""
        widths = Counter(map(len, self.records))
        usual = widths.most_common(1)[0][0] if widths else 1
        self.num_columns = len(self.records[0]) if self.has_header else usual
        num_even = sum(count for width, count in widths.items() if self._is_even(width))
        self.share = num_even / max(1, len(self.records))
        """Share of the records with `num_columns`, 0 to 1; below a header, also of those with more."""

    def _has_header(self) -> bool:
        first, *others = self.records or [[]]
        num_full = sum(len(fields) >= len(first) for fields in others)
        return bool(first) and num_full >= _MIN_SHARE * len(others) and is_header(first, others)

    def _is_even(self, width: int) -> bool:
        return width == self.num_columns or (self.has_header and width > self.num_columns)

    def is_table(self) -> bool:
        """Return whether most records have the same number of columns, and it is not prose with commas."""
        if self.num_columns < 2:
            return False
        if not self.is_prose():
            return self.share >= _MIN_SHARE
        return self.share >= _MIN_PROSE_SHARE and len(self.records) >= _MIN_PROSE_RECORDS

    def is_prose(self) -> bool:
        """Return whether every delimiter is followed by a blank in most records, as in prose."""
        wide = self._wide_records()
        prose = [fields for fields in wide if all(field.startswith(" ") for field in fields[1:])]
        return sum(not is_number(fields[0]) for fields in prose) > len(wide) / 2

    def is_decimal(self) -> bool:
        """Return whether it is a comma that is between two digits wherever it is in most records."""
        wide = self._wide_records() if self.delimiter == "," else []
        decimal = [each for each in wide if all(a[-1:].isdigit() and b[:1].isdigit() for a, b in pairwise(each))]
        return len(decimal) > len(wide) / 2

    def _wide_records(self) -> list[list[str]]:
        return [fields for fields in self.records if len(fields) == self.num_columns]


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
    return max(tables, key=_fit, default=samples[0])


def _fit(sample: Sample) -> tuple[bool, bool, float, int]:
    """Return how well a delimiter fits: that of a header does, and a comma of prose or of numbers hardly."""
    is_in_text = sample.is_prose() or sample.is_decimal()
    return sample.has_header, not is_in_text, sample.share, sample.num_columns


def find_dialect(lines: Sequence[Line], source: Source, config: CorpusConfig) -> CsvDialect:
    """Return the dialect of a file with these first lines, and add notes to `source`.

    Raises `CorpusError` if a column of `config` does not exist.
    """
    sample = find_sample(lines, config.column or config.label_column)
    if not sample.is_table() and suffix_of(source.name) in _TAB_SUFFIXES:
        sample = Sample(lines, "\t", find_quoting(lines, "\t"))
    num_skipped = 1 if separator_of(lines) else 0
    if sample.delimiter != ",":
        source.notes.append(
            f"{_name_of(sample.delimiter)}-separated" + (", as its first line sets" if num_skipped else "")
        )
    if sample.quoting in _QUOTING_NOTES:
        source.notes.append(_QUOTING_NOTES[sample.quoting])
    is_wide = config.column is not None or num_skipped > 0 or sample.is_table()
    records = with_joined_texts(sample.records, sample.delimiter) if sample.has_header else sample.records
    layout = find_table(records, source, config, num_columns=sample.num_columns if is_wide else 1)
    if layout.has_header:
        records = records[1:]
    repairer = find_repairer(records, layout, sample.delimiter, has_quoting=sample.quoting != "literal")
    if layout.num_columns == 1:
        source.doubt = doubt_about_columns(fields[0] for fields in records if len(fields) == 1)
    elif repairer is not None and len(texts := repairer.texts(records)) > len(records) / 2:
        source.doubt = doubt_about_columns(texts)  # most records are wider than the header
    return CsvDialect(sample.delimiter, sample.quoting, num_skipped, layout, repairer)


def _name_of(delimiter: str) -> str:
    return DELIMITER_NAMES.get(delimiter, sanitize_line(delimiter))


def _folded(fields: Sequence[str]) -> list[str]:
    return [field.strip().casefold() for field in fields]
