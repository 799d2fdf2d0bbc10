"""Finds what the columns of a table mean from its first records, and turns its records into rows.

The records are lists of strings from any source: lines of CSV, rows of Parquet or JSON. Never changes a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.config.corpus import DEFAULT_LABEL, CorpusConfig
from engine.corpus.readers.reader import DroppedRow, NoTextsError, Row, Source, example
from engine.corpus.readers.tables.columns import (
    TextColumn,
    find_text_column,
    is_category,
    is_text_name,
    is_textless,
    is_textless_cell,
    requested_column,
)
from engine.corpus.readers.tables.labels import LabelRule, Labels, find_labels
from engine.corpus.readers.tables.table_header import is_header
from engine.text import sanitize_line

TOO_MANY_COLUMNS = "with too many columns"
TOO_FEW_COLUMNS = "with too few columns"
BLANK_LINE = "empty"

MAX_COLUMNS = 16_384
"""As in Excel."""
_MIN_SHORT_SHARE = 0.1
"""Share of the first records from which a width is usual in the table."""
_MIN_ALIKE_SHARE = 0.95
_MIN_CERTAIN_RECORDS = {True: 2, False: 3}
"""Records, with and without tabs, from which a file is certainly a table."""
_MIN_TABBED_RECORDS = 10

Record = tuple[int, list[str]]
"""The number of its first line or of its row, from 1, and its fields; no fields for a blank line."""


@dataclass(frozen=True)
class TableLayout:
    """Header and columns of a table; columns count from 0."""

    num_columns: int
    text_column: int
    has_header: bool
    label_column: int = -1
    label_rule: LabelRule | None = None
    """None if rows are not filtered by label."""
    short_widths: frozenset[int] = frozenset()
    """Widths of records that leave out the last columns, but have text and label."""

    def rows(
        self,
        records: Iterable[Record | DroppedRow],
        *,
        place: str = "line",
        delimiter: str = ",",
        repair: Callable[[list[str]], list[str] | None] | None = None,
    ) -> Iterator[Row]:
        """Yield a row for each record except the header: its text, or why it is dropped.

        `place` and `delimiter` are for the examples of dropped rows. `repair` returns a record of another width with
        the right one, or None.
        """
        is_header_ahead = self.has_header
        rule, label_column = self.label_rule, self.label_column
        num_columns, text_column = self.num_columns, self.text_column
        for record in records:
            if isinstance(record, DroppedRow):
                yield record
                continue
            number, fields = record
            if is_header_ahead and fields:
                is_header_ahead = False
                continue
            if len(fields) != num_columns and len(fields) not in self.short_widths:
                whole = repair(fields) if repair is not None else None
                if whole is None:
                    yield DroppedRow(self._ragged(fields), example(f"{place} {number}", delimiter.join(fields)))
                    continue
                fields = whole
            if rule is not None and (reason := rule.reason_to_drop(fields[label_column])):
                yield DroppedRow(reason, example(f"{place} {number}", fields[text_column]))
            else:
                yield fields[text_column]

    def _ragged(self, fields: list[str]) -> str:
        """Return the reason to drop a record with the wrong number of fields."""
        if not fields:
            return BLANK_LINE
        return TOO_MANY_COLUMNS if len(fields) > self.num_columns else TOO_FEW_COLUMNS


def find_layout(
    records: Sequence[list[str]],
    source: Source,
    config: CorpusConfig,
    *,
    names: Sequence[str] = (),
    num_columns: int = 0,
) -> TableLayout:
    """Return the layout of a table with these first records, and add notes to `source`.

    `names` are those of the columns if the format has them outside of the records; else the first record may be a
    header. `num_columns` is the width of records without a header, by default the most frequent one. Raises
    `CorpusError` if a column of `config` does not exist, no column has texts, or there are more than `MAX_COLUMNS`.
    """
    first, *others = records or [[""]]
    if len(first) > MAX_COLUMNS:
        raise NoTextsError(
            f"{source.name} has {len(first):,} columns, more than {MAX_COLUMNS:,}.",
            "Give a table with one tweet in each row, or read whole lines with --format text.",
        )
    has_header = not names and is_header(first, others, (config.column, config.label_column))
    header = list(names) or (first if has_header else [])
    num_columns = len(header) or num_columns or Counter(map(len, records)).most_common(1)[0][0]
    records = others if has_header else records
    widths = _usual_short_widths(records, num_columns) if header else set()
    rows = [[*each, *[""] * (num_columns - len(each))] for each in records if len(each) in {num_columns, *widths}]
    text = _text_column(rows, header or first, source, config, has_header=bool(header))
    labels = find_labels(rows, header, text.column, config, source.name)
    short_widths = frozenset(width for width in widths if width > max(text.column, labels.column))
    if not names:
        source.notes.append("header row found" if has_header else "no header row")
    source.notes += _notes(text, labels, header, num_columns, config)
    if short_widths:
        source.notes.append("rows that leave out the last columns are kept")
    return TableLayout(num_columns, text.column, has_header, labels.column, labels.rule, short_widths)


def _notes(
    text: TextColumn, labels: Labels, header: Sequence[str], num_columns: int, config: CorpusConfig
) -> Iterator[str]:
    """Yield the notes on the columns of text and labels."""
    if num_columns > 1:
        yield f"text in {_called(text.column, header)}" + (f": {text.why}" if text.why else "")
    if labels.note:
        yield f"labels in {_called(labels.column, header)}: {labels.note}"
    elif config.label != DEFAULT_LABEL:
        yield "no labels found: every row kept"


def is_certain_table(records: Sequence[list[str]], *, is_tab_separated: bool) -> bool:
    """Return whether records of one width are certainly a table, not prose that has a delimiter in every line.

    A column of texts is beside one of numbers, ids, dates or labels, or has a usual name. The same number of tabs in
    many lines is enough: no prose is written so.
    """
    first, *others = records or [[]]
    if len(records) < _MIN_CERTAIN_RECORDS[is_tab_separated]:
        return False
    header = first if is_header(first, others) else []
    rows = [each for each in (others if header else records) if len(each) == len(first)]
    text = find_text_column(rows, header)
    if text is None or not rows:
        return False
    columns = [[cell for each in cells if (cell := each.strip())] for cells in zip(*rows, strict=True)]
    is_even = (
        is_tab_separated and len(rows) >= _MIN_TABBED_RECORDS and all(len(each) > len(rows) / 2 for each in columns)
    )
    is_named = bool(header) and is_text_name(header[text.column])
    is_labelled = not is_category(columns[text.column]) and any(map(is_category, columns))
    return is_even or is_named or is_labelled or any(map(is_textless, columns))


def _text_column(
    rows: Sequence[list[str]],
    names: Sequence[str],
    source: Source,
    config: CorpusConfig,
    *,
    has_header: bool,
) -> TextColumn:
    """Return the column of --column, or the one that is found. Raises `CorpusError`."""
    if config.column is not None:
        num_columns = len(rows[0]) if rows else len(names)
        return TextColumn(requested_column(names, num_columns, config.column, "--column", source.name), "")
    if found := find_text_column(rows, names if has_header else ()):
        return found
    shown = ", ".join(sanitize_line(name, 30) for name in names[:12])
    raise NoTextsError(
        f"{source.name} has no column of texts: its columns are links, ids, numbers, dates or names.",
        f"Choose one with --column; its first row is: {shown}.",
    )


def _usual_short_widths(records: Sequence[list[str]], num_columns: int) -> set[int]:
    """Return the widths of records that certainly leave out the last columns.

    Many records have such a width, and the same numbers, ids or dates in their columns as complete ones: the pieces of
    a text with a line break in it, which is not quoted, do not.
    """
    counts = Counter(map(len, records))
    usual = {width for width in counts if width < num_columns and counts[width] >= _MIN_SHORT_SHARE * len(records)}
    complete = [each for each in records if len(each) == num_columns]
    return {width for width in usual if _are_alike([each for each in records if len(each) == width], complete)}


def _are_alike(short: Sequence[list[str]], complete: Sequence[list[str]]) -> bool:
    """Return whether short records have numbers, ids and dates where complete ones have."""
    width = len(short[0])
    kinds = [[is_textless_cell(each[index]) for index in range(width)] for each in (complete or short)]
    marked = [index for index in range(width) if sum(each[index] for each in kinds) >= _MIN_ALIKE_SHARE * len(kinds)]
    num_alike = sum(all(is_textless_cell(each[index]) for index in marked) for each in short)
    return bool(marked) and num_alike >= _MIN_ALIKE_SHARE * len(short)


def _called(column: int, header: Sequence[str]) -> str:
    """Return a column's number from 1 and its name, for a note."""
    name = sanitize_line(header[column].strip(), 30) if column < len(header) else ""
    return f"column {column + 1} ({name})" if name else f"column {column + 1}"
