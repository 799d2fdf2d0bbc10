"""Recognises objects that are collections: posts by id, and tables whose columns or rows are objects or arrays.

`{"123": {"text": ...}, "124": ...}` and `DataFrame.to_json(orient="index")` are maps: their values are the items, as in
an array. `orient="columns"`, `{"text": {"0": ..., "1": ...}, "id": {"0": ...}}`, is a table of columns.
"""

from __future__ import annotations

import re
from itertools import chain, islice

from engine.corpus.readers.columns import is_text_name

NAMES_OF_ROWS = frozenset({"data", "values", "rows"})
"""Keys of arrays that have the rows of a table."""
_EXAMINED = 20
_MAX_COLUMNS = 10_000
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
    if not any(map(is_text_name, islice(document, _MAX_COLUMNS))):
        return _numbered_columns(document)
    columns = {name: _cells(column) for name, column in islice(document.items(), _MAX_COLUMNS)}
    first = next(iter(document.values()))
    num_rows = len(next(iter(columns.values())))
    if not num_rows or len(columns) < len(document) or any(len(cells) != num_rows for cells in columns.values()):
        return None
    if not isinstance(first, dict):
        return columns if len(columns) > 1 else None
    is_table = all(isinstance(column, dict) and column.keys() == first.keys() for column in document.values())
    return columns if is_table and (len(columns) > 1 or is_map(first)) else None


def _numbered_columns(document: dict[str, object]) -> dict[str, list[object]] | None:
    """Return the columns of a table whose columns and rows have numbers; None if the document is not one.

    A table has more rows than columns.
    """
    first = next(iter(document.values()), None)
    if not isinstance(first, dict) or not first or not all(map(is_id, chain(document, first))):
        return None
    if any(not isinstance(each, dict) or each.keys() != first.keys() for each in document.values()):
        return None
    lines = [_cells(each) for each in document.values()]
    if not all(lines):
        return None
    columns = lines if len(first) >= len(document) else [list(cells) for cells in zip(*lines, strict=True)]
    return {f"column {number}": cells for number, cells in enumerate(columns, start=1)}


def is_split(document: dict[str, object]) -> bool:
    """Return whether a document is a table's rows as arrays beside the names of its columns, `orient="split"`."""
    names, rows = document.get("columns"), document.get("data")
    return isinstance(names, list) and isinstance(rows, list) and bool(rows) and isinstance(rows[0], list)


def has_table_rows(document: dict[str, object]) -> bool:
    """Return whether a document has a table's rows as arrays, as an answer of Google Sheets."""
    arrays = [rows for name in NAMES_OF_ROWS if isinstance(rows := document.get(name), list)]
    return any(map(is_table_row, chain.from_iterable(rows[:1] for rows in arrays)))


def is_table_row(value: object) -> bool:
    """Return whether a value is an array of strings, numbers and nulls, with at least one string.

    An object whose keys are numbers counts as the array of its values: pandas writes columns without names so.
    """
    if isinstance(value, dict):
        value = list(value.values()) if 0 < len(value) <= _MAX_COLUMNS and all(map(is_id, value)) else None
    return (
        isinstance(value, list)
        and not any(isinstance(cell, dict | list) for cell in value)
        and any(isinstance(cell, str) for cell in value)
    )


def _cells(column: object) -> list[object]:
    """Return the cells of a column; an empty list if any of them is an object or array."""
    cells = list(column.values()) if isinstance(column, dict) else column if isinstance(column, list) else []
    return [] if any(isinstance(cell, dict | list) for cell in cells) else cells
