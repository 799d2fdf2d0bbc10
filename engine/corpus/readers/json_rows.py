"""JSON in one piece: an array of objects or strings, or an object that holds one.

The one idea: items are taken from the array while it is read, so that a file of any size needs the memory of one item.
Never holds the array, and never guesses twice: the first array whose objects have a text is the one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from engine.corpus.readers.json_stream import JsonStream
from engine.corpus.readers.json_values import TextKey, find_text_key, lookup, starts_as_lines
from engine.corpus.rows import Row
from engine.corpus.source import Source
from engine.corpus_config import CorpusConfig
from engine.errors import CorpusError

_ARRAY = re.compile(r'\[\s*(?:\]|\{\s*["}]|"(?:[^"\\]|\\.)*"\s*[,\]])')
_OBJECT = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:')
_NAMES_OF_ARRAYS = frozenset({"tweets", "texts", "posts", "statuses", "messages", "data", "items", "rows"})


def looks_like(head: bytes) -> bool:
    """Say whether a file begins as an array of objects or strings, or as an object that goes on over its line."""
    text = head.decode("utf-8-sig", "replace").lstrip()
    if _ARRAY.match(text):
        return True
    return bool(_OBJECT.match(text)) and not starts_as_lines(text)


def json_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Return one row per item of the array.

    Raises `CorpusError` where there is no array of tweets, no usual key in its first object and no `config.column`,
    or, after the rows before it, where the file breaks off or an item is too large.
    """
    stream = JsonStream(file, source.name)
    for path, items in stream.arrays():
        first = next(items, None)
        if path and not _are_tweets(first, path[-1], config.column):
            continue
        if path:
            source.notes.append(f"tweets in the array {'.'.join(path)[:80]}")
        text_key = TextKey(source, config.column)
        for number, item in enumerate(chain([first], items) if first is not None else items, start=1):
            yield text_key.row(item, f"item {number:,}")
        break
    else:
        raise CorpusError(
            f"{source.name} holds no array of tweets.",
            "It should be an array of objects or strings, or an object with such an array; --column names the key.",
        )
    if not path:
        stream.expect_end()
    if count := stream.num_windows_chars:
        source.notes.append(f"{count:,} character{'s' * (count > 1)} read as Windows-1252")


def _are_tweets(first: object, key: str, column: str | None) -> bool:
    """Say whether an array under this key, of which this is the first item, holds the tweets of its object."""
    if isinstance(first, str):
        return column is None and key in _NAMES_OF_ARRAYS
    if not isinstance(first, dict):
        return False
    if column is None:
        return find_text_key(first) is not None
    try:
        return isinstance(lookup(first, column), str)
    except KeyError:
        return False
