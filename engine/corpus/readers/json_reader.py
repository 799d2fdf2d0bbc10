"""JSON Lines, and JSON documents: arrays of objects or strings, objects with one at any depth, pages of APIs, tables.

All become a sequence of values, whose texts `json_texts` reads. An object by id counts as the array of its values, and
so do values that follow one another without a comma. Lines are read as a stream, where an invalid one costs only
itself; a document is read whole, and what it has is found by the first items of its arrays.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import BinaryIO

import msgspec

from engine.config.corpus import CorpusConfig
from engine.corpus.files.streams import Member
from engine.corpus.readers.columns import is_text_name
from engine.corpus.readers.json_paths import (
    EXAMINED_ITEMS,
    LONGEST,
    USUAL,
    TextPath,
    arrays_in,
    has_text_at,
    is_id,
    is_index,
    is_map,
    is_table_row,
    is_wrapper,
    shown_paths,
    text_paths,
)
from engine.corpus.readers.json_texts import Numbered, only, table_rows, value_rows
from engine.corpus.readers.json_values import NOT_JSON, JsonFile, as_array, as_object, decode
from engine.corpus.readers.reader import DroppedRow, Format, NoTextsError, Row, Source, example, of_one_file
from engine.corpus.readers.text_reader import decoded_lines
from engine.corpus.report import counted
from engine.text import sanitize_line

MAX_LINE_BYTES = 10_000_000
"""Limit of a line: a page of 500 tweets with all fields and expansions has about 5 MB."""

_ARRAY = re.compile(
    r"""\[\s*(?:\]|\{\s*["}]|"(?:[^"\\]|\\.)*"\s*[,\]]|\[\s*(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|null)\s*[,\]])"""
)
_OBJECT = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:')
_STARTS = (b"{", b"[", b'"')
_CONTINUED = (b"{", b"[", b",")
_LONG_LINE_BYTES = 1000
_SMALL_BYTES = 64 << 10
_MAX_KEYS, _MAX_DEPTH = 1000, 8
_ROW_NAMES = ("data", "values", "rows")
"""Keys of arrays that have the rows of a table."""


# Detection ------------------------------------------------------------------------------------------------------------


def is_json(head: bytes) -> bool:
    """Return whether a file starts as an array of objects or strings, or as an object of several lines."""
    text = head.decode("utf-8-sig", "replace").lstrip()
    return _ARRAY.match(text) is not None or (_OBJECT.match(text) is not None and not starts_as_lines(text))


def is_jsonl(head: bytes) -> bool:
    """Return whether a file starts with an object on one line."""
    return starts_as_lines(head.decode("utf-8-sig", "replace"))


def is_one_line(head: bytes) -> bool:
    """Return whether a file is a single line, which is valid as JSON and as JSON Lines."""
    return b"\n" not in head.strip()


def is_first_line(head: bytes) -> bool:
    """Return whether a file that is called .jsonl has a whole value in its first line, as far as `head` shows.

    A JSON document with line breaks has not, whatever its name; a damaged or long line has.
    """
    first = head.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")[0].rstrip()
    return first.startswith(_STARTS) and (len(first) > _LONG_LINE_BYTES or not first.endswith(_CONTINUED))


def goes_on_as_lines(file: BinaryIO) -> bool:
    """Return whether the current line of `file` is followed by one that starts as an object or array."""
    line = file.readline(MAX_LINE_BYTES)
    return line.endswith(b"\n") and file.read(_LONG_LINE_BYTES).lstrip().startswith((b"{", b"["))


def starts_as_lines(text: str) -> bool:
    """Return whether a file starts with an object on one line that is not a list of posts in a wrapper."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{"):
        return False
    try:
        value = decode(first)
    except ValueError:
        return False
    return bool(rest.strip()) or not is_wrapper(as_object(value))


# Lines and documents --------------------------------------------------------------------------------------------------


def jsonl_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per line that is not blank, or several if the key leads through an array.

    `NaN`, which Python and pandas write, and numbers of any length are accepted. Raises `CorpusError` as `value_rows`.
    """
    yield from value_rows(_values_of_lines(file, source), source, config, place="line")


def _values_of_lines(file: BinaryIO, source: Source) -> Iterator[Numbered]:
    """Yield the values of the lines that are not blank, or why a line is dropped."""
    num_chars = 0
    for number, line in enumerate(decoded_lines(file, source, MAX_LINE_BYTES), start=1):
        if isinstance(line, DroppedRow):
            yield number, line, num_chars
        elif line and not line.isspace():
            num_chars += len(line)
            try:
                value: object = decode(line)
            except ValueError:
                value = DroppedRow(NOT_JSON, example(f"line {number:,}", line))
            yield number, value, num_chars


def json_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per item of the array with the texts, or several if the path leads through arrays in it.

    `config.column` is the path of the text in the document or in an item. Raises `NoTextsError` if there is no array of
    tweets, and `CorpusError` if it is ambiguous or invalid, after the rows of an array before the damage.
    """
    file = JsonFile(members[0], source)
    root = None if file.is_array else file.root()
    if root is not None:
        yield from _document_rows(file, root, source, config)
    else:
        if not file.is_array:
            file.hint = "It has several JSON values: with --format jsonl, lines that are not valid are left out."
        place = "item" if file.is_array else "value"
        yield from value_rows(_numbered(file, file.items()), source, config, place=place)
    if file.num_windows_chars:
        source.notes.append(f"{counted(file.num_windows_chars, 'character')} read as Windows-1252")


def _numbered(file: JsonFile, values: Iterable[object]) -> Iterator[Numbered]:
    """Yield values of a file, decoded, with their numbers."""
    for number, value in enumerate(values, start=1):
        yield number, file.decoded(value), file.num_decoded


def _document_rows(file: JsonFile, root: object, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield the rows of the only value of a file."""
    head = _head(file, root)
    if columns := _columns(file, root, head):
        cells = ([file.decoded(cell) for cell in each] for each in zip(*columns.values(), strict=True))
        yield from table_rows(_numbered(file, cells), source, config, place="row", names=list(columns))
        return
    if config.column is None:
        found = only(text_paths([head], is_document=True), source) if isinstance(head, dict) else None
    else:
        found = _path_from_root(file, root, head, config.column)
    if (found is None or found.why == LONGEST) and (key := _key_of_rows(head)):
        names = as_array(as_object(head).get("columns"))
        rows = as_array(file.opened(as_object(file.opened(root)).get(key)))
        yield from table_rows(_numbered(file, rows), source, config, place="row", names=[str(name) for name in names])
    elif found is None:
        raise _without_array(head, source, config.column)
    elif array := _array_on(file, root, found.path):
        if found == TextPath("", USUAL):
            source.notes.append("texts are the values of ids")
        inside, items, rest = array
        found = TextPath(rest, found.why)
        yield from value_rows(_numbered(file, items), source, config, place="item", found=found, inside=inside)
    else:
        yield from value_rows(iter([(1, file.decoded(root), 0)]), source, config, place="value", found=found)


def _head(file: JsonFile, value: object, depth: int = 0) -> object:
    """Return a value decoded, of its long arrays and objects by id only the first items."""
    if not isinstance(value, msgspec.Raw) or len(value) <= _SMALL_BYTES:
        return file.decoded(value)
    opened = file.opened(value) if depth < _MAX_DEPTH else None
    if isinstance(opened, list):
        return [_head(file, each, depth + 1) for each in opened[:EXAMINED_ITEMS]]
    if isinstance(opened, dict):
        members = islice(opened.items(), _MAX_KEYS)
        first = {key: _head(file, each, depth + 1) for key, each in islice(members, EXAMINED_ITEMS)}
        return first if is_map(first) else first | {key: _head(file, each, depth + 1) for key, each in members}
    return opened


def _path_from_root(file: JsonFile, root: object, head: object, column: str) -> TextPath | None:
    """Return the path in the document of a path in it or in the items of an array; None if it leads to no text."""
    if has_text_at(head, column):
        return TextPath(column, "")
    for path, items in arrays_in([head]).items():
        if items and has_text_at(items[0], column):
            return TextPath(".".join((*path, column)), "")
    array = _array_on(file, root, column)
    has_text = array is not None and any(has_text_at(file.decoded(item), array[2]) for item in array[1])
    return TextPath(column, "") if has_text else None


def _array_on(file: JsonFile, root: object, path: str) -> tuple[str, Collection[object], str] | None:
    """Return the first array or object by id on a path: its own path with a final dot, its items, and the other part.

    Returns None if the path leads through none, or to a certain item.
    """
    value, inside, rest = root, "", path
    while True:
        opened = file.opened(value)
        if isinstance(opened, dict):
            key = rest if rest in opened else rest.partition(".")[0]  # a key may contain dots
            if rest and key in opened:
                value, inside, rest = opened[key], f"{inside}{key}.", rest[len(key) + 1 :]
                continue
            first = {key: file.opened(each) for key, each in islice(opened.items(), EXAMINED_ITEMS)}
            return (inside, opened.values(), rest) if is_map(first) else None
        return (inside, opened, rest) if isinstance(opened, list) and not is_index(rest.partition(".")[0]) else None


# Tables ---------------------------------------------------------------------------------------------------------------


def _columns(file: JsonFile, root: object, head: object) -> dict[str, list[object]]:
    """Return the cells of a document that is a table of columns, by their names; {} if it is none.

    `DataFrame.to_json()` writes `{"text": {"0": ..., "1": ...}, "id": {"0": ...}}`; arrays of equal length are columns
    too. If rows and columns have numbers, there are more rows than columns.
    """
    document = file.opened(root)
    if not isinstance(document, dict) or not isinstance(head, dict) or not all(map(_cells, head.values())):
        return {}
    keys = {tuple(column) for column in head.values() if isinstance(column, dict)}
    are_objects = len(keys) == 1 and all(isinstance(column, dict) for column in head.values())
    are_named = any(map(is_text_name, head))
    has_ids = are_objects and all(map(is_id, chain(*keys, () if are_named else head)))
    is_table = has_ids or (are_named and len(head) > 1 and (are_objects or not keys))
    columns = [_cells(file.opened(column)) for column in document.values()] if is_table else [[]]
    if len(set(map(len, columns))) > 1 or not columns[0]:
        return {}
    if are_named:
        return dict(zip(document, columns, strict=True))
    columns = columns if len(columns[0]) >= len(columns) else [list(cells) for cells in zip(*columns, strict=True)]
    return {f"column {number}": cells for number, cells in enumerate(columns, start=1)}


def _cells(column: object) -> list[object]:
    """Return the cells of a column; an empty list if it has none, or any of them is an object or array."""
    cells = list(column.values()) if isinstance(column, dict) else as_array(column)
    return [] if any(isinstance(cell, dict | list) for cell in cells) else cells


def _key_of_rows(head: object) -> str | None:
    """Return the key of a table's rows in a document, beside the names of its columns or without; None for others.

    `DataFrame.to_json(orient="split")` and answers of Google Sheets have such rows.
    """
    document = as_object(head)
    first = {key: as_array(document.get(key))[:1] for key in _ROW_NAMES}
    are_rows = list if as_array(document.get("columns")) else tuple
    return next(
        (key for key, [*rows] in first.items() if any(is_table_row(row) or isinstance(row, are_rows) for row in rows)),
        None,
    )


def _without_array(document: object, source: Source, column: str | None) -> NoTextsError:
    """Return the error of a document without tweets."""
    paths = shown_paths(document)
    problem = "has no array of tweets" if column is None else f"has no texts under {sanitize_line(column, 80)}"
    return NoTextsError(
        f"{source.name} {problem}.",
        f"Set the key with --column, dotted if nested: {paths}."
        if paths
        else "It must be an array of objects or strings, or an object with such an array; --column sets the key.",
    )


JSON = Format(name="json", rows=json_rows, suffixes=(".json",), looks_like=is_json, has_columns=True)
JSONL = Format(
    name="jsonl",
    rows=of_one_file(jsonl_rows),
    suffixes=(".jsonl", ".ndjson"),
    other_suffixes=(".json", ".txt"),
    looks_like=is_jsonl,
    has_columns=True,
)
