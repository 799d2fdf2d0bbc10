"""Finds what the columns of a table mean from its first records, and turns its records into rows.

The records are lists of strings from any source: lines of CSV, rows of Parquet or JSON. The first record is a header if
it has a usual name or differs from the others; in doubt it is none, so that no tweet is lost. Never changes a text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.config.corpus import DEFAULT_LABEL, CorpusConfig
from engine.corpus.readers.columns import (
    TextColumn,
    is_number,
    is_other_name,
    is_text_name,
    is_textless_cell,
    name_key,
    requested_column,
    text_column,
)
from engine.corpus.readers.labels import LABEL_NAMES, LabelFilter, find_labels
from engine.corpus.readers.reader import EMPTY, DroppedRow, NoTextsError, Row, Source, example
from engine.text import sanitize_line

TOO_MANY_COLUMNS = "with too many columns"
TOO_FEW_COLUMNS = "with too few columns"

MAX_COLUMNS = 16_384
"""Limit of the columns, as in Excel."""
_MIN_SHORT_SHARE = 0.1
"""Share of the first records from which a width is usual in the table."""
_MIN_ALIKE_SHARE = 0.95

_HEADER_NAMES = LABEL_NAMES | {"name", "names", "title", "titles"}
"""Usual names beside those of texts, ids, dates and users."""
_WORD = re.compile(r"[A-Za-z]\w{0,29}", re.ASCII)
_WORDS = re.compile(r"[A-Za-z]\w{0,19}(?:[ ._/-]\w{1,19}){0,3}", re.ASCII)
_VARIABLE = re.compile(r"\S+|[A-Z]\w*(?: [A-Z]\w*){1,3}")
"""`created_at` or "Created At": not the end of a tweet, "what a great time"."""
_LETTER = re.compile(r"[A-Za-z]", re.ASCII)
_MIN_ROWS, _MIN_CATEGORY_ROWS = 3, 20
_MAX_ALIKE_SHARE = 0.02
"""Share of the cells below a name that may look like it, or be unique in a column of categories."""

Record = tuple[int, list[str]]
"""The number of its first line or of its row, from 1, and its fields; no fields for a blank line."""


@dataclass(frozen=True)
class Table:
    """Header and columns of a table; columns count from 0."""

    num_columns: int
    text_index: int
    has_header: bool
    label_index: int = -1
    label_filter: LabelFilter | None = None
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
        label_filter, label_index = self.label_filter, self.label_index
        num_columns, text_index = self.num_columns, self.text_index
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
                    too_few = TOO_FEW_COLUMNS if fields else EMPTY
                    reason = TOO_MANY_COLUMNS if len(fields) > num_columns else too_few
                    yield DroppedRow(reason, example(f"{place} {number}", delimiter.join(fields)))
                    continue
                fields = whole
            if label_filter is not None and (rejected := label_filter.reject_reason(fields[label_index])):
                yield DroppedRow(rejected, example(f"{place} {number}", fields[text_index]))
            else:
                yield fields[text_index]


def find_table(
    records: Sequence[list[str]],
    source: Source,
    config: CorpusConfig,
    *,
    names: Sequence[str] = (),
    num_columns: int = 0,
) -> Table:
    """Return the table with these first records, and add notes to `source`.

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
    text = _text_column(rows, header, header or first, num_columns, source, config)
    labels = find_labels(rows, header, text.index, config, source.name)
    if not names:
        source.notes.append("header row found" if has_header else "no header row")
    if num_columns > 1:
        source.notes.append(f"text in {_called(text.index, header)}" + (f": {text.why}" if text.why else ""))
    if labels.note:
        source.notes.append(f"labels in {_called(labels.index, header)}: {labels.note}")
    elif config.label != DEFAULT_LABEL:
        source.notes.append("no labels found: every row kept")
    short_widths = frozenset(width for width in widths if width > max(text.index, labels.index))
    if short_widths:
        source.notes.append("rows that leave out the last columns are kept")
    return Table(num_columns, text.index, has_header, labels.index, labels.filter, short_widths)


def _text_column(
    rows: Sequence[list[str]],
    header: Sequence[str],
    names: Sequence[str],
    num_columns: int,
    source: Source,
    config: CorpusConfig,
) -> TextColumn:
    """Return the column of --column, or the one that is found. Raises `CorpusError`; `names` are for its message."""
    if config.column is not None:
        num_columns = len(rows[0]) if rows else len(names)
        return TextColumn(requested_column(names, num_columns, config.column, "--column", source.name), "")
    if num_columns == 1:
        return TextColumn(0, "the only column")
    if found := text_column(header, rows):
        return found
    shown = ", ".join(sanitize_line(name, 30) for name in names[:12])
    raise NoTextsError(
        f"{source.name} has no column of texts: its columns are links, ids, numbers, dates or names.",
        f"Choose one with --column; its first row is: {shown}.",
    )


def _called(column: int, header: Sequence[str]) -> str:
    """Return a column's number from 1 and its name, for a note."""
    name = sanitize_line(header[column].strip(), 30) if column < len(header) else ""
    return f"column {column + 1} ({name})" if name else f"column {column + 1}"


def _usual_short_widths(records: Sequence[list[str]], num_columns: int) -> set[int]:
    """Return the widths of records that certainly leave out the last columns.

    Many records have such a width, and the same numbers, ids or dates in their columns as complete ones: the pieces of
    a text with a line break in it, which is not quoted, do not.
    """
    by_width: dict[int, list[list[str]]] = {}
    for record in records:
        by_width.setdefault(len(record), []).append(record)
    complete = by_width.pop(num_columns, [])
    shorter = {width: each for width, each in by_width.items() if width < num_columns}
    usual = {width: each for width, each in shorter.items() if len(each) >= _MIN_SHORT_SHARE * len(records)}
    return {width for width, each in usual.items() if _are_alike(each, complete or each)}


def _are_alike(short: Sequence[list[str]], complete: Sequence[list[str]]) -> bool:
    """Return whether short records have numbers, ids and dates where complete ones have."""
    columns = range(len(short[0]))
    min_marked = _MIN_ALIKE_SHARE * len(complete)
    marked = [index for index in columns if sum(is_textless_cell(each[index]) for each in complete) >= min_marked]
    num_alike = sum(all(is_textless_cell(each[index]) for index in marked) for each in short)
    return bool(marked) and num_alike >= _MIN_ALIKE_SHARE * len(short)


def is_header(first: Sequence[str], others: Sequence[Sequence[str]], columns: Sequence[str | None] = ()) -> bool:
    """Return whether the first record of a table is a header; `columns` are names that the user gave."""
    folded = [cell.strip().casefold() for cell in first]
    if any(column is not None and column.casefold() in folded for column in columns):
        return True
    if len(first) == 1:
        return is_text_name(first[0]) or folded[0] in _HEADER_NAMES - LABEL_NAMES
    complete = [cells for cells in others if len(cells) == len(first)]
    below = [[cells[index] for cells in complete] for index in range(len(first))]
    numbered = [cells for name, cells in zip(first, below, strict=True) if is_number(name)]
    if numbered:  # pandas numbers columns without names
        are_texts = all(cells and not any(map(is_number, cells)) for cells in numbered)
        return are_texts and any(map(_is_usual_name, first, below))
    if any(cells and all(map(is_number, cells)) for cells in below) or any(map(_is_usual_name, first, below)):
        return True
    if len(complete) < _MIN_ROWS or len(set(folded)) < len(folded):
        return False
    if all(map(_is_above_another_script, first, below)):
        return True
    return all(map(_is_name_of, first, below)) and any(map(_is_far_shorter, first, below))


def _is_usual_name(name: str, below: Sequence[str]) -> bool:
    """Return whether a cell is a usual name and hardly occurs below it, as a category would."""
    key = name_key(name)
    is_other = key in _HEADER_NAMES or (_VARIABLE.fullmatch(name.strip()) is not None and is_other_name(name))
    is_usual = is_other or is_text_name(name)
    return is_usual and sum(name_key(each) == key for each in below) <= _MAX_ALIKE_SHARE * len(below)


def _is_name_of(name: str, below: Sequence[str]) -> bool:
    """Return whether a cell is like the name of a variable, and the cells below it are not, or are categories."""
    name = name.strip()
    kind = next((kind for kind in (_WORD, _WORDS) if kind.fullmatch(name)), None)
    if kind is None:
        return False
    cells = [cell.strip() for cell in below]
    if sum(kind.fullmatch(cell) is not None for cell in cells) <= _MAX_ALIKE_SHARE * len(cells):
        return True
    counts = Counter(map(str.casefold, cells))
    num_unique = sum(count == 1 for count in counts.values())
    is_category = len(cells) >= _MIN_CATEGORY_ROWS and num_unique <= _MAX_ALIKE_SHARE * len(cells)
    return is_category and name.casefold() not in counts


def _is_above_another_script(name: str, below: Sequence[str]) -> bool:
    """Return whether a cell is like the name of a variable, and hardly any of many cells below has such letters."""
    num_alike = sum(_LETTER.search(cell) is not None for cell in below)
    is_name = _WORDS.fullmatch(name.strip()) is not None
    return is_name and len(below) >= _MIN_CATEGORY_ROWS and num_alike <= _MAX_ALIKE_SHARE * len(below)


def _is_far_shorter(name: str, below: Sequence[str]) -> bool:
    """Return whether a name is less than half as long as the mean cell below."""
    return 2 * len(name) * len(below) < sum(map(len, below))
