"""JSON documents: an array of objects or strings, an object that contains one at any depth, or a single post.

Items are decoded while the array is read, so a file of any size needs the memory of one item. An object up to
`MAX_VALUE_CHARS` is first examined whole, to find the array with the texts; in a longer one, the first array whose
objects have a text is used. Never reads a file twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.json_files.json_paths import (
    NAMES_OF_ARRAYS,
    find_text_key,
    has_text_at,
    is_index,
    is_post,
    shown_paths,
)
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import TextKey, only_array, starts_as_lines
from engine.corpus.types import Row, Source
from engine.errors import CorpusError
from engine.text import harmless

_ARRAY = re.compile(r'\[\s*(?:\]|\{\s*["}]|"(?:[^"\\]|\\.)*"\s*[,\]])')
_OBJECT = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:')


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

    `config.column` is the path of the text in the document or in an item. Raises `CorpusError` if there is no array of
    tweets or it is ambiguous, or, after some rows, if the file is truncated or an item is too large.
    """
    stream = JsonStream(file, source.name)
    document = stream.whole() if stream.peek() == "{" else None
    column = config.column
    if column is None and isinstance(document, dict):
        column = _found_column(document, source)
    is_from_document = None if document is None or column is None else has_text_at(document, column)
    for path, items in stream.arrays():
        first = next(items, None)
        if text_key := _text_key(first, path, column, source, is_from_document=is_from_document):
            document = None  # free the memory
            for number, item in enumerate(chain([first], items) if first is not None else items, start=1):
                yield from text_key.rows(item, f"item {number:,}")
            if not path:
                stream.expect_end()
            break
    else:
        if not is_from_document:
            raise _without_texts(document, source, column)
        stream.expect_end()
        yield from TextKey(source, column).rows(document, "the document")
    if count := stream.num_windows_chars:
        source.notes.append(f"{count:,} character{'s' * (count > 1)} read as Windows-1252")


def _found_column(document: dict[str, object], source: Source) -> str:
    """Return the path of a document's texts, and add a note. Raises `CorpusError` if none or several qualify."""
    column = find_text_key(document) if is_post(document) else only_array(document, source.name)
    column = column or find_text_key(document)
    if column is None:
        raise _without_texts(document, source, None)
    source.notes.append(f"texts under {harmless(column, 80)}")
    return column


def _text_key(
    first: object, path: tuple[str, ...], column: str | None, source: Source, *, is_from_document: bool | None
) -> TextKey | None:
    """Return the extractor for the array at `path`, whose first item is `first`; None if it has no tweets.

    `is_from_document` says whether `column` starts at the document; None for a document too long to examine.
    """
    inside = "".join(f"{part}." for part in path)
    if column is None:
        is_fitting = not path or isinstance(first, str) or (isinstance(first, dict) and bool(find_text_key(first)))
        is_named = not path or not isinstance(first, str) or path[-1] in NAMES_OF_ARRAYS
        return TextKey(source, None, inside) if is_fitting and is_named else None
    if is_from_document is not True and has_text_at(first, column):
        return TextKey(source, column, inside)
    is_on_path = is_from_document is not False and f"{column}.".startswith(inside)
    rest = column[len(inside) :]
    return TextKey(source, rest, inside) if is_on_path and not is_index(rest.partition(".")[0]) else None


def _without_texts(document: object, source: Source, column: str | None) -> CorpusError:
    """Return the error of a document without tweets."""
    paths = shown_paths(document)
    problem = "has no array of tweets" if column is None else f"has no texts under {harmless(column, 80)}"
    return CorpusError(
        f"{source.name} {problem}.",
        f"Set the key with --column, dotted if nested: {paths}."
        if paths
        else "It must be an array of objects or strings, or an object with such an array; --column sets the key.",
    )
