"""Repairs records with too many fields: those with a delimiter in the text that is not quoted.

The text's fields are joined again if the other fields then are what they are in complete records: numbers, dates, links
or single words. Where that is not certain, a record stays as it is, and is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.corpus.readers.columns import is_number, is_text_name, is_textless_cell
from engine.corpus.readers.table import Table

_MIN_RECORDS = 10
"""Complete records from which it is known what is in a column."""
_MIN_VALUE_SHARE = 0.95
_MIN_TEXT_SHARE = 0.8
"""Least share of the characters of several words that are in the widest column, to repair from that one."""


@dataclass
class RecordRepairer:
    """Repairs the records of a file and counts those that it repaired."""

    delimiter: str
    num_columns: int
    text_column: int
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
        return [whole[self.text_column] for fields in records if (whole := self._whole(fields)) is not None]

    def _whole(self, fields: list[str]) -> list[str] | None:
        end = self.text_column + 1 + len(fields) - self.num_columns
        text = self.delimiter.join(fields[self.text_column : end])
        if len(fields) <= self.num_columns or (self.has_quoting and '"' in text):
            return None
        whole = [*fields[: self.text_column], text, *fields[end:]]
        are_values = all(is_value(whole[column]) for column, is_value in self.value_columns.items())
        return whole if are_values else None


def find_repairer(
    records: Sequence[list[str]], layout: Table, delimiter: str, *, has_quoting: bool
) -> RecordRepairer | None:
    """Return what repairs the records of a table, given the first ones without the header.

    None if complete records do not show it. A single column needs only its header. The layout's text column counts as
    one with several words in any case.
    """
    num_columns = layout.num_columns
    if num_columns == 1:
        is_text = layout.has_header and not _has_unnamed_column(records, num_columns)
        return RecordRepairer(delimiter, 1, 0, {}, has_quoting) if is_text else None
    complete = [fields for fields in records if len(fields) == num_columns]
    if len(complete) < _MIN_RECORDS:
        return None
    cells = dict(enumerate(zip(*complete, strict=True)))
    values = {each: test for each in cells if each != layout.text_index and (test := _test_of(cells[each]))}
    widths = {each: sum(map(len, cells[each])) for each in cells if each not in values}
    widest = max(widths, key=lambda each: widths[each])
    if not values or widths[widest] < _MIN_TEXT_SHARE * sum(widths.values()):
        return None
    return RecordRepairer(delimiter, num_columns, widest, values, has_quoting)


def with_joined_texts(records: Sequence[list[str]], delimiter: str) -> Sequence[list[str]]:
    """Return records, of which the first is the header, with the rest of too wide ones joined in the last column.

    Only if that has a usual name of texts, and fewer records are complete than show what is in the other columns.
    """
    header, *others = records
    last = len(header) - 1
    num_complete = sum(len(fields) == len(header) for fields in others)
    if not is_text_name(header[last]) or num_complete >= _MIN_RECORDS or _has_unnamed_column(others, len(header)):
        return records
    return [
        header,
        *([*fields[:last], delimiter.join(fields[last:])] if len(fields) > last else fields for fields in others),
    ]


def _has_unnamed_column(records: Sequence[list[str]], num_columns: int) -> bool:
    """Return whether too wide records have a column of values first or last where the last column of the header is."""
    wide = [fields[num_columns - 1 :] for fields in records if len(fields) > num_columns]
    ends = zip(*((rest[0], rest[-1]) for rest in wide), strict=True)
    return len(wide) >= _MIN_RECORDS and any(_test_of(cells) for cells in ends)


def _test_of(cells: Sequence[str]) -> Callable[[str], bool] | None:
    """Return the test that nearly all cells of a column pass, or None if they are texts."""
    min_passed = _MIN_VALUE_SHARE * len(cells)
    return next((test for test in (is_number, _is_word, is_textless_cell) if sum(map(test, cells)) >= min_passed), None)


def _is_word(cell: str) -> bool:
    return len(cell.split()) == 1
