"""JSON Lines: every line is an object with the tweet under one key, or a string that is the tweet.

An invalid line is one dropped row and never ends the reading. `NaN`, which Python and pandas write, and numbers of any
length are accepted.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.json_files.json_values import NOT_JSON, decode, starts_as_lines
from engine.corpus.readers.json_files.text_key import Numbered
from engine.corpus.readers.json_files.value_rows import value_rows
from engine.corpus.readers.reader import DroppedRow, Format, Row, Source, example, of_one_file
from engine.corpus.readers.text_reader import decoded_lines

MAX_LINE_BYTES = 10_000_000
"""Limit of a line: a page of 500 tweets with all fields and expansions has about 5 MB."""
_STARTS = (b"{", b"[", b'"')
_CONTINUED = (b"{", b"[", b",")
_LONG_LINE_BYTES = 1000


def looks_like(head: bytes) -> bool:
    """Return whether a file starts with an object on one line."""
    return starts_as_lines(head.decode("utf-8-sig", "replace"))


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


def jsonl_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per line that is not blank, or several if the key leads through an array.

    `config.column` is the key of the text; without it, the usual keys are tried on the first objects. Raises
    `NoTextsError` if no object has any of them.
    """
    yield from value_rows(_values(file, source), source, config)


def _values(file: BinaryIO, source: Source) -> Iterator[Numbered]:
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


JSONL = Format(
    name="jsonl",
    rows=of_one_file(jsonl_rows),
    suffixes=(".jsonl", ".ndjson"),
    other_suffixes=(".json", ".txt"),
    looks_like=looks_like,
    has_columns=True,
)
