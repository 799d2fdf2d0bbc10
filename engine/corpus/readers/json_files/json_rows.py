"""JSON documents: an array of objects or strings, an object that contains one at any depth, or a single post.

An object by id counts as the array of its values, and so do values that follow one another without a comma. Items are
decoded while the array is read, so a file of any size needs the memory of one item. An object up to `MAX_VALUE_CHARS`
is first examined whole, to find the array with the texts; in a longer one, the first array whose objects have a text is
used. Never reads a file twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import BinaryIO, NamedTuple

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.json_files.json_maps import NAMES_OF_ROWS, columns_of, has_table_rows, is_split, is_table_row
from engine.corpus.readers.json_files.json_paths import (
    CONTEXT_KEYS,
    find_text_key,
    has_text_at,
    is_array_of_texts,
    is_index,
    is_post,
    map_paths,
    shown_paths,
)
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import starts_as_lines
from engine.corpus.readers.json_files.text_key import Numbered
from engine.corpus.readers.json_files.value_rows import only_array, table_rows, value_rows
from engine.corpus.readers.reader import Format, NoTextsError, Row, Source, of_one_file
from engine.corpus.report import counted
from engine.text import sanitize_line

_ARRAY = re.compile(
    r"""\[\s*(?:\]|\{\s*["}]|"(?:[^"\\]|\\.)*"\s*[,\]]|\[\s*(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|null)\s*[,\]])"""
)
_OBJECT = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:')
_MAX_COLUMNS = 10_000


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as an array of objects or strings, or as an object of several lines."""
    text = head.decode("utf-8-sig", "replace").lstrip()
    if _ARRAY.match(text):
        return True
    return bool(_OBJECT.match(text)) and not starts_as_lines(text)


def is_one_document(head: bytes) -> bool:
    """Return whether a file is a single line, which is valid as JSON and as JSON Lines."""
    return b"\n" not in head.strip()


def json_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per item of the array, or several if the path leads through arrays in it.

    `config.column` is the path of the text in the document or in an item. Raises `NoTextsError` if there is no array of
    tweets, and `CorpusError` if it is ambiguous or, after some rows, if the file is truncated or an item is too large.
    """
    stream = JsonStream(file, source.name)
    if stream.peek() == "[":
        yield from value_rows(_numbered(_items(stream), stream), source, config, place="item")
    else:
        document, is_alone = stream.first()
        if is_alone:
            yield from _document_rows(stream, document, source, config)
        else:
            stream.hint = "It has several JSON values: with --format jsonl, lines that are not valid are left out."
            yield from value_rows(_numbered(stream.values(), stream), source, config, place="value")
    if count := stream.num_windows_chars:
        source.notes.append(f"{counted(count, 'character')} read as Windows-1252")


def _items(stream: JsonStream) -> Iterator[object]:
    """Yield the items of all arrays that follow one another."""
    while stream.peek() == "[":
        yield from stream.items()
    stream.expect_end()


def _numbered(values: Iterable[object], stream: JsonStream) -> Iterator[Numbered]:
    """Yield values of the stream with their numbers."""
    for number, value in enumerate(values, start=1):
        yield number, value, stream.num_chars


def _document_rows(stream: JsonStream, document: object, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield the rows of a single value; `document` is None if it exceeds the limit for an examination."""
    if isinstance(document, dict) and (columns := columns_of(document)):
        rows = enumerate(map(list, zip(*columns.values(), strict=True)), start=1)
        yield from table_rows(((number, row, 0) for number, row in rows), source, config, names=list(columns))
        return
    column = config.column
    if column is None and isinstance(document, dict) and not is_split(document):
        column = _found_column(document, source)
    is_from_document = None if document is None or column is None else has_text_at(document, column)
    names: list[str] = []
    arrays = stream.arrays(map_paths(document))
    for path, items in arrays:
        first = next(items, None)
        values = _numbered(chain([first], items) if first is not None else items, stream)
        if path == ("columns",) and isinstance(first, str):
            names = [str(name) for _, name, _ in islice(values, _MAX_COLUMNS)]
        elif is_from_document is not True and _has_rows(first, path, names):
            yield from table_rows(values, source, config, names=names)
            break
        elif (key := _key(first, path, column, is_from_document=is_from_document)) is not None:
            document = None  # free the memory
            inside = "".join(f"{part}." for part in path)
            yield from value_rows(values, source, config, key=key.path, inside=inside, place="item")
            break
    else:
        if not is_from_document:
            raise _without_texts(document, source, column)
        yield from value_rows(iter([(1, document, 0)]), source, config, key=column, place="value")
    for _ in arrays:
        pass
    stream.expect_end()


def _has_rows(first: object, path: tuple[str, ...], names: list[str]) -> bool:
    """Return whether an array at the top of a document, with this first item, has the rows of a table."""
    return (
        len(path) == 1
        and path[0] in NAMES_OF_ROWS
        and (is_table_row(first) or (bool(names) and isinstance(first, list)))
    )


def _found_column(document: dict[str, object], source: Source) -> str | None:
    """Return the path of a document's texts, and add a note; None if it has rows of a table instead.

    Raises `NoTextsError`, or `CorpusError` if several paths qualify.
    """
    column = find_text_key(document) if is_post(document) else only_array(document, source.name)
    column = find_text_key(document) if column is None else column
    if column is not None:
        source.notes.append(f"texts under {sanitize_line(column, 80)}" if column else "texts are the values of ids")
    elif not has_table_rows(document):
        raise _without_texts(document, source, None)
    return column


class _Key(NamedTuple):
    """How the texts are found in the items of an array."""

    path: str | None
    """Their path in an item; None: to be detected."""


def _key(first: object, path: tuple[str, ...], column: str | None, *, is_from_document: bool | None) -> _Key | None:
    """Return the key of the texts in the array at `path`, whose first item is `first`; None if it has no tweets.

    `is_from_document` says whether `column` starts at the document; None for a document too long to examine.
    """
    if column is None:
        if not CONTEXT_KEYS.isdisjoint(path):
            return None
        has_text = isinstance(first, dict) and bool(find_text_key(first))
        return _Key(None) if has_text or (isinstance(first, str) and is_array_of_texts(path, is_by_id=True)) else None
    inside = "".join(f"{part}." for part in path)
    if is_from_document is not True and has_text_at(first, column):
        return _Key(column)
    is_on_path = is_from_document is not False and f"{column}.".startswith(inside)
    rest = column[len(inside) :]
    return _Key(rest) if is_on_path and not is_index(rest.partition(".")[0]) else None


def _without_texts(document: object, source: Source, column: str | None) -> NoTextsError:
    """Return the error of a document without tweets."""
    paths = shown_paths(document)
    problem = "has no array of tweets" if column is None else f"has no texts under {sanitize_line(column, 80)}"
    return NoTextsError(
        f"{source.name} {problem}.",
        f"Set the key with --column, dotted if nested: {paths}."
        if paths
        else "It must be an array of objects or strings, or an object with such an array; --column sets the key.",
    )


JSON = Format(name="json", rows=of_one_file(json_rows), suffixes=(".json",), looks_like=looks_like, has_columns=True)
