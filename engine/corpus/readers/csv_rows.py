"""CSV: one column of tweets, or one of several columns by name or number."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from engine.corpus.rows import Row, Unusable
from engine.errors import CorpusError

MORE_THAN_ONE_COLUMN = "with more than one column"
HEADER_NAMES = frozenset({"text", "tweet", "tweets", "full_text", "content", "message", "status"})


def csv_rows(lines: Iterable[str], column: str | None, name: str) -> Iterator[Row]:
    """Return one row per record, the header left out.

    `column` is a name, which the first record must hold, or a number from 1. Without it the file must have one
    column, and a record with more (a comma outside quotation marks) is unusable rather than cut short. A first record
    that is only a usual column name (`HEADER_NAMES`) is a header too. Raises `CorpusError` where there is no such
    column or the file breaks the rules of CSV; `name` is the file's, for the message.
    """
    reader = csv.reader(lines)
    try:
        first = next(reader, None)
        if first is None:
            return
        index, is_header = _find_column(first, column, name)
        has_one_column = column is None
        if not is_header:
            yield _cell(first, index, has_one_column)
        for record in reader:
            yield _cell(record, index, has_one_column)
    except csv.Error as error:
        raise CorpusError(
            f"{name} is not valid CSV near line {reader.line_num}: {error}.",
            "Look for a quotation mark that is never closed; --format text reads it as one tweet per line.",
        ) from error


def _cell(record: list[str], index: int, has_one_column: bool) -> Row:  # noqa: FBT001 - a fact of the file
    """Return the record's text in that column."""
    if not record:
        return Unusable("empty")
    if has_one_column and len(record) > 1:
        return Unusable(MORE_THAN_ONE_COLUMN)
    return record[index] if index < len(record) else Unusable("too few columns")


def _find_column(first: list[str], column: str | None, name: str) -> tuple[int, bool]:
    """Return the column's index and whether the first record is a header."""
    folded = [cell.strip().casefold() for cell in first]
    if column is None:
        if len(first) > 1:
            raise CorpusError(
                f"{name} has {len(first)} columns; which one holds the tweets?",
                f"Name it with --column (first row: {', '.join(first)}), or read whole lines with --format text.",
            )
        index = 0
    elif column.casefold() in folded:
        return folded.index(column.casefold()), True
    elif column.isdecimal() and 1 <= int(column) <= len(first):
        index = int(column) - 1
    else:
        shown = ", ".join(first)
        raise CorpusError(f"{name} has no column {column}.", f"Its first row is: {shown}. A number counts from 1.")
    return index, bool(folded) and folded[index] in HEADER_NAMES
