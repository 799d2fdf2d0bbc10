"""Repairs records with too many fields: those with a delimiter in the text that is not quoted.

The text's fields are joined again if the other fields then are what they are in complete records: numbers, dates, links
or single words. Where that is not certain, a record stays as it is, and is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.corpus.readers.tables.columns import is_number, is_textless

_MIN_RECORDS = 10
"""Complete records from which it is known what is in a column."""
_MIN_VALUE_SHARE = 0.95
_MIN_TEXT_SHARE = 0.8
"""Least share of the characters of several words that are in the widest column, to repair from that one."""


@dataclass
class Repair:
    """How the records of a file are repaired, and how many were."""

    delimiter: str
    num_columns: int
    text_column: int
    """The widest column with several words."""
    value_columns: Mapping[int, Callable[[str], bool]]
    """Columns of numbers, of single words, or of dates and links, with the test of a cell."""
    has_quoting: bool
    """Whether quotation marks have been removed from fields."""
    num_repaired: int = 0

    def __call__(self, fields: list[str]) -> list[str] | None:
        """Return a record with `num_columns` fields, or None if these can't be repaired."""
        end = self.text_column + 1 + len(fields) - self.num_columns
        text = self.delimiter.join(fields[self.text_column : end])
        if len(fields) <= self.num_columns or (self.has_quoting and '"' in text):
            return None
        whole = [*fields[: self.text_column], text, *fields[end:]]
        if not all(is_value(whole[column]) for column, is_value in self.value_columns.items()):
            return None
        self.num_repaired += 1
        return whole


def find_repair(
    records: Sequence[list[str]], num_columns: int, text_column: int, delimiter: str, *, has_quoting: bool
) -> Repair | None:
    """Return how records are repaired, given the first ones; None if complete records do not show it.

    `text_column` is that of the tweets, which counts as one with several words in any case.
    """
    complete = [fields for fields in records if len(fields) == num_columns]
    if num_columns < 2 or len(complete) < _MIN_RECORDS:
        return None
    cells = dict(enumerate(zip(*complete, strict=True)))
    values = {each: test for each in cells if each != text_column and (test := _test_of(cells[each]))}
    widths = {each: sum(map(len, cells[each])) for each in cells if each not in values}
    widest = max(widths, key=lambda each: widths[each])
    if not values or widths[widest] < _MIN_TEXT_SHARE * sum(widths.values()):
        return None
    return Repair(delimiter, num_columns, widest, values, has_quoting)


def _test_of(cells: Sequence[str]) -> Callable[[str], bool] | None:
    """Return the test that nearly all cells of a column pass, or None if they are texts."""
    min_passed = _MIN_VALUE_SHARE * len(cells)
    return next((test for test in (is_number, _is_word, _is_textless) if sum(map(test, cells)) >= min_passed), None)


def _is_textless(cell: str) -> bool:
    return is_textless([text] if (text := cell.strip()) else [])


def _is_word(cell: str) -> bool:
    return len(cell.split()) == 1
