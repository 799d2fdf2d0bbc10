"""Finds what the columns of a table mean from its first records, and turns its records into rows.

The records are lists of strings from any source: lines of CSV, rows of an Excel sheet. Never changes a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.config.corpus import DEFAULT_LABEL, CorpusConfig
from engine.corpus.readers.tables.columns import (
    find_text_column,
    is_number,
    is_other_name,
    is_text_name,
    name_key,
    requested_column,
)
from engine.corpus.readers.tables.labels import LABEL_NAMES, LabelRule, find_labels
from engine.corpus.types import DroppedRow, Row, Source, example
from engine.errors import CorpusError
from engine.text import harmless

TOO_MANY_COLUMNS = "with too many columns"
TOO_FEW_COLUMNS = "with too few columns"
BLANK_LINE = "empty"

_LONE_NAMES = frozenset({"name", "names", "title", "titles"})
"""Usual names of a single column beside those of texts."""
_MAX_NAME_CHARS = 60

Record = tuple[int, list[str]]
"""The number of its line or row, from 1, and its fields; no fields for a blank line."""


@dataclass(frozen=True)
class TableLayout:
    """Header and columns of a table; columns count from 0."""

    num_columns: int
    text_column: int
    has_header: bool
    label_column: int = -1
    label_rule: LabelRule | None = None
    """None if rows are not filtered by label."""

    def rows(
        self, records: Iterable[Record | DroppedRow], *, place: str = "line", delimiter: str = ","
    ) -> Iterator[Row]:
        """Yield a row for each record except the header: its text, or why it is dropped.

        `place` and `delimiter` are for the examples of dropped rows.
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
            elif len(fields) != num_columns:
                yield DroppedRow(self._ragged(fields), example(f"{place} {number}", delimiter.join(fields)))
            elif rule is not None and (reason := rule.reason_to_drop(fields[label_column])):
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
    text_column: int = -1,
    label_column: int = -1,
) -> TableLayout:
    """Return the layout of a table with these first records, and add notes to `source`.

    `names` are those of the columns if the format has them outside of the records; else the first record may be a
    header. `num_columns` is the width of records without a header, by default the most frequent one. `text_column` and
    `label_column` are those of a fixed format. Raises `CorpusError` if a column of `config` does not exist, or no
    column has texts.
    """
    first, *others = records or [[""]]
    has_header = not names and is_header(first, others, (config.column, config.label_column))
    header = list(names) or (first if has_header else [])
    num_columns = len(header) or num_columns or Counter(map(len, records)).most_common(1)[0][0]
    rows = [fields for fields in (others if has_header else records) if len(fields) == num_columns]
    why = ""
    if config.column is not None:
        text_column = requested_column(header or first, num_columns, config.column, "--column", source.name)
    elif text_column < 0:
        found = find_text_column(rows, header)
        if found is None:
            raise _no_text(source, header or first)
        text_column, why = found
    labels = find_labels(rows, header, text_column, config, source.name, column=label_column)
    layout = TableLayout(num_columns, text_column, has_header, labels.column, labels.rule)
    if not names:
        source.notes.append("header row found" if has_header else "no header row")
    if num_columns > 1:
        source.notes.append(f"text in {_called(text_column, header)}" + (f": {why}" if why else ""))
    if labels.note:
        source.notes.append(f"labels in {_called(labels.column, header)}: {labels.note}")
    elif config.label != DEFAULT_LABEL:
        source.notes.append("no labels found: every row kept")
    return layout


def _called(column: int, header: Sequence[str]) -> str:
    """Return a column's number from 1 and its name, for a note."""
    name = harmless(header[column].strip(), 30) if column < len(header) else ""
    return f"column {column + 1} ({name})" if name else f"column {column + 1}"


def _no_text(source: Source, names: Sequence[str]) -> CorpusError:
    shown = ", ".join(harmless(name, 30) for name in names[:12]) or "none"
    return CorpusError(
        f"{source.name} has no column of texts: links, ids, numbers, dates or names only.",
        f"Choose one with --column; its first row is: {shown}.",
    )


def is_header(first: Sequence[str], others: Sequence[Sequence[str]], columns: Sequence[str | None] = ()) -> bool:
    """Return whether the first record of a table is a header; `columns` are names that the user gave."""
    folded = [field.strip().casefold() for field in first]
    if any(column is not None and column.casefold() in folded for column in columns):
        return True
    if len(first) == 1:
        return is_text_name(first[0]) or folded[0] in _LONE_NAMES
    if any(is_number(name) or len(name) > _MAX_NAME_CHARS for name in first):
        return False
    keys = set(map(name_key, first))
    if any(map(is_text_name, first)) or any(map(is_other_name, keys)) or not keys.isdisjoint(LABEL_NAMES | _LONE_NAMES):
        return True
    rows = [fields for fields in others if len(fields) == len(first)]
    return bool(rows) and any(all(map(is_number, cells)) for cells in zip(*rows, strict=True))
