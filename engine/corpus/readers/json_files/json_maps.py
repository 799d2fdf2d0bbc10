"""Recognises objects that are collections: posts by id, and tables whose columns or rows are objects or arrays.

`{"123": {"text": ...}, "124": ...}` and `DataFrame.to_json(orient="index")` are maps: their values are the items, as in
an array. `orient="columns"`, `{"text": {"0": ..., "1": ...}, "id": {"0": ...}}`, is a table of columns.
"""

from __future__ import annotations

import re
from itertools import islice

from engine.corpus.readers.tables.columns import is_text_name

NAMES_OF_ROWS = frozenset({"data", "values", "rows"})
"""Keys of arrays that have the rows of a table."""
_EXAMINED = 20
_MIN_MEMBERS = 3
_ID = re.compile(r"-?\d+(?:\.\d+)?")
_RECORD_KEYS = frozenset({"data", "includes", "meta", "user", "author", "note", "object", "item", "node", "record"})


def is_id(key: str) -> bool:
    """Return whether a key is a number, as the ids of tweets and the index of a table are."""
    return _ID.fullmatch(key) is not None


def is_map(value: dict[str, object]) -> bool:
    """Return whether the values of an object are items: its keys are numbers, or its values objects of one shape."""
    keys = list(islice(value, _EXAMINED))
    if keys and all(map(is_id, keys)):
        return True
    shapes = [set(item) for key in keys if isinstance(item := value[key], dict)]
    if len(shapes) < max(_MIN_MEMBERS, len(keys)) or any(key in _RECORD_KEYS or is_text_name(key) for key in keys):
        return False
    common, all_keys = set.intersection(*shapes), set.union(*shapes)
    return 2 * len(common) >= len(all_keys) > 0 and not all(map(is_id, all_keys))


def columns_of(document: dict[str, object]) -> dict[str, list[object]] | None:
    """Return the columns of a document that is a table of columns; None if it is not one."""
    columns = {name: _cells(column) for name, column in islice(document.items(), 10_000)}
    cells = list(columns.values())
    if not document or len(columns) < len(document) or not any(map(is_text_name, document)):
        return None
    if not cells[0] or any(len(each) != len(cells[0]) for each in cells):
        return None
    first = next(iter(document.values()))
    if isinstance(first, dict):
        is_table = all(isinstance(column, dict) and column.keys() == first.keys() for column in document.values())
        return columns if is_table and (len(columns) > 1 or is_map(first)) else None
    return columns if len(columns) > 1 else None


def has_table_rows(document: dict[str, object]) -> bool:
    """Return whether a document has a table's rows as arrays: `orient="split"`, or an answer of Google Sheets."""
    for name in NAMES_OF_ROWS:
        rows = document.get(name)
        if (
            isinstance(rows, list)
            and rows
            and (is_table_row(rows[0]) or (isinstance(rows[0], list) and "columns" in document))
        ):
            return True
    return False


def is_table_row(value: object) -> bool:
    """Return whether a value is an array of strings, numbers and nulls, with at least one string."""
    return (
        isinstance(value, list)
        and not any(isinstance(cell, dict | list) for cell in value)
        and any(isinstance(cell, str) for cell in value)
    )


def _cells(column: object) -> list[object]:
    """Return the cells of a column; none if they are not all simple values."""
    cells = list(column.values()) if isinstance(column, dict) else column if isinstance(column, list) else []
    return [] if any(isinstance(cell, dict | list) for cell in cells) else cells
