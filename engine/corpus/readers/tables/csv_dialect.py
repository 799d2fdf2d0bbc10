"""Detects the dialect of a CSV file from its first lines: delimiter, header, columns of text and label.

Add a new delimiter or header name here, a kind of label in `labels`; quotation marks are parsed in `csv_records`. Never
changes the text of a field.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from engine.config.corpus import DEFAULT_LABEL, CorpusConfig
from engine.corpus.readers.lines import Line
from engine.corpus.readers.tables.csv_records import CsvRecords
from engine.corpus.readers.tables.labels import FEELINGS, POLARITIES, LabelRule, label_of
from engine.corpus.types import DroppedRow, Row, Source, example
from engine.errors import CorpusError
from engine.text import harmless

DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
TEXT_NAMES = frozenset(
    {"text", "tweet", "tweets", "tweet_text", "tweettext", "full_text", "content", "message", "messages", "status"}
    | {"body", "post", "posts", "sentence", "comment", "title", "review", "quote", "name", "names", "line", "lines"}
)
LABEL_NAMES = frozenset({"label", "sentiment", "polarity", "target"})
OTHER_NAMES = frozenset({"id", "ids", "tweet_id", "date", "time", "created_at", "user", "username", "author", "query"})

TOO_MANY_COLUMNS = "with too many columns"
TOO_FEW_COLUMNS = "with too few columns"
BLANK_LINE = "empty"

_HEAD_LINES = 1000
_HEAD_CHARS = 1_000_000
_DELIMITER_LINES = 100
_MIN_SHARE = 0.5
"""Least share of the first records with the most frequent number of columns, for a table."""
_MIN_PROSE_SHARE, _MIN_PROSE_RECORDS = 0.95, 10
"""The same if a blank follows each delimiter, as after commas in prose."""
_MIN_SAD_RECORDS = 100
_NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class CsvDialect:
    """Delimiter, header and columns of a CSV file; columns count from 0."""

    delimiter: str
    num_columns: int
    text_column: int
    has_header: bool
    label_column: int = -1
    label_rule: LabelRule | None = None
    """None if the rows have no label."""

    def rows(self, lines: Iterable[Line]) -> Iterator[Row]:
        """Yield a row for each record except the header: its text, or why it is dropped."""
        is_header_ahead = self.has_header
        rule, label_column, text_column = self.label_rule, self.label_column, self.text_column
        for record in CsvRecords(lines, self.delimiter):
            if isinstance(record, DroppedRow):
                yield record
                continue
            number, fields = record
            if is_header_ahead and fields:
                is_header_ahead = False
            elif len(fields) != self.num_columns:
                yield DroppedRow(self._ragged(fields), example(f"line {number}", self.delimiter.join(fields)))
            elif rule is not None and (reason := rule.reason_to_drop(fields[label_column])):
                yield DroppedRow(reason, example(f"line {number}", fields[text_column]))
            else:
                yield fields[text_column]

    def _ragged(self, fields: list[str]) -> str:
        """Return the reason to drop a record with the wrong number of fields."""
        if not fields:
            return BLANK_LINE
        return TOO_MANY_COLUMNS if len(fields) > self.num_columns else TOO_FEW_COLUMNS


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

    def __init__(self, lines: Sequence[Line], delimiter: str) -> None:
        """Parse the lines; dropped records, and one truncated at the end, are ignored."""
        self.delimiter = delimiter
        self.records = list(_usable_records(lines, delimiter))
        widths = Counter(map(len, self.records))
        self.num_columns, count = widths.most_common(1)[0] if widths else (1, 0)
        self.share = count / max(1, len(self.records))
        """Share of the records with `num_columns`, 0 to 1."""

    def is_table(self) -> bool:
        """Return whether most records have the same number of columns, and it is not prose with commas."""
        if self.num_columns < 2:
            return False
        if not self._is_prose():
            return self.share >= _MIN_SHARE
        return self.share >= _MIN_PROSE_SHARE and len(self.records) >= _MIN_PROSE_RECORDS

    def _is_prose(self) -> bool:
        """Return whether every delimiter is followed by a blank in most records, as in prose."""
        wide = [fields for fields in self.records if len(fields) == self.num_columns]
        prose = [fields for fields in wide if all(field.startswith(" ") for field in fields[1:])]
        return sum(not _NUMBER.fullmatch(fields[0]) for fields in prose) > len(wide) / 2


def _usable_records(lines: Sequence[Line], delimiter: str) -> Iterator[list[str]]:
    for record in CsvRecords(lines, delimiter):
        if isinstance(record, tuple) and record[1]:
            yield record[1]


def find_delimiter(lines: Sequence[Line], column: str | None = None) -> str:
    """Return the delimiter, a comma in doubt; one whose header contains `column` wins."""
    samples = [Sample(lines[:_DELIMITER_LINES], delimiter) for delimiter in DELIMITER_NAMES]
    for sample in samples:
        if column and sample.records and len(sample.records[0]) > 1 and column.casefold() in _folded(sample.records[0]):
            return sample.delimiter
    tables = [sample for sample in samples if sample.is_table()]
    return max(tables, key=lambda sample: (sample.share, sample.num_columns), default=samples[0]).delimiter


def find_dialect(
    lines: Sequence[Line], source: Source, config: CorpusConfig, *, text_column: int = -1, label_column: int = -1
) -> CsvDialect:
    """Return the dialect of a file with these first lines, and add notes to `source`.

    `text_column` and `label_column` are those of a fixed format, from 0. Raises `CorpusError` if `config.column` does
    not exist.
    """
    sample = Sample(lines, find_delimiter(lines, config.column))
    first, *others = sample.records or [[""]]
    has_header = _is_header(first, others, config.column)
    is_wide = config.column is not None or text_column >= 0 or sample.is_table()
    num_columns = len(first) if has_header else sample.num_columns if is_wide else 1
    rows = [fields for fields in (others if has_header else sample.records) if len(fields) == num_columns]
    if config.column is not None:
        text_column = _requested_column(first, num_columns, config.column, source.name)
    is_detected = text_column < 0
    if is_detected:
        text_column = _longest_column(rows)
    if label_column < 0:
        label_column = _find_labels(rows, first if has_header else [], text_column, config.label)
    seen = {label_of(fields[label_column]) for fields in rows} - {""} if label_column >= 0 else set()
    rule = LabelRule.for_file(config.label, seen) if label_column >= 0 else None
    dialect = CsvDialect(sample.delimiter, num_columns, text_column, has_header, label_column, rule)
    source.notes += _notes(dialect, first, config, is_detected=is_detected)
    return dialect


def _notes(dialect: CsvDialect, first: list[str], config: CorpusConfig, *, is_detected: bool) -> Iterator[str]:
    """Yield the notes on a dialect."""

    def called(column: int) -> str:
        name = harmless("".join(first[column : column + 1]).strip(), 30) if dialect.has_header else ""
        return f"column {column + 1} ({name})" if name else f"column {column + 1}"

    if dialect.delimiter != ",":
        yield f"{DELIMITER_NAMES[dialect.delimiter]}-separated"
    yield "header row found" if dialect.has_header else "no header row"
    if dialect.num_columns > 1:
        yield f"text in {called(dialect.text_column)}" + (": the longest" if is_detected else "")
    if dialect.label_rule:
        yield f"labels in {called(dialect.label_column)}: {dialect.label_rule.note()}"
    elif config.label != DEFAULT_LABEL:
        yield "no labels found: every row kept"


def _folded(fields: Sequence[str]) -> list[str]:
    return [field.strip().casefold() for field in fields]


def _is_header(first: list[str], others: list[list[str]], column: str | None) -> bool:
    """Return whether the first record is a header."""
    names = [re.sub(r"[\s-]+", "_", name) for name in _folded(first)]
    if column is not None and column.casefold() in _folded(first):
        return True
    if len(first) == 1:
        return names[0] in TEXT_NAMES
    if any(map(_NUMBER.fullmatch, names)):
        return False
    if not TEXT_NAMES.union(LABEL_NAMES, OTHER_NAMES).isdisjoint(names):
        return True
    same_width = [fields for fields in others if len(fields) == len(first)]
    return any(
        bool(same_width) and all(_NUMBER.fullmatch(fields[place].strip()) for fields in same_width)
        for place in range(len(first))
    )


def _requested_column(first: list[str], num_columns: int, column: str, name: str) -> int:
    """Return the index of --column, a name or a number from 1. Raises `CorpusError`."""
    folded = _folded(first)
    if column.casefold() in folded:
        return folded.index(column.casefold())
    if column.isdecimal() and len(column) < 10 and 1 <= int(column) <= num_columns:
        return int(column) - 1
    shown = ", ".join(harmless(field, 30) for field in first[:12])
    raise CorpusError(f"{name} has no column {column}.", f"Its first row is: {shown}. Column numbers start at 1.")


def _longest_column(rows: list[list[str]]) -> int:
    """Return the column with the greatest mean length, the first of equals."""
    means = [fmean(map(len, fields)) for fields in zip(*rows, strict=True)]
    return means.index(max(means)) if means else 0


def _find_labels(rows: list[list[str]], header: list[str], text_column: int, wanted: str) -> int:
    """Return the column of the labels, or -1.

    With a header, the name decides, if the values are polarities or --label is a value. Without one, the values decide;
    a file sorted by label starts with many sad ones only.
    """
    is_value_wanted = wanted.casefold() not in FEELINGS
    for column in range(len(header or (rows[0] if rows else []))):
        labels = {label_of(fields[column]) for fields in rows}
        if column == text_column:
            continue
        if header:
            is_label = labels - {""} <= POLARITIES or is_value_wanted
            if header[column].strip().casefold() in LABEL_NAMES and is_label:
                return column
        elif labels <= {"0", "2", "4"} and ("4" in labels or (labels == {"0"} and len(rows) >= _MIN_SAD_RECORDS)):
            return column
    return -1
