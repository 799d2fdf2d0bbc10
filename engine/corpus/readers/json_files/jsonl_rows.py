"""JSON lines: every line is an object with the tweet under one key, or a string that is the tweet.

A line that is no JSON is one drop, whatever is wrong with it. `NaN`, which Python and pandas write, and numbers of any
length are no such fault: the text beside them is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.json_files.json_values import NOT_JSON, TextKey, decode, starts_as_lines
from engine.corpus.readers.lines import decoded_lines
from engine.corpus.types import DroppedRow, Row, Source, example


def looks_like(head: bytes) -> bool:
    """Say whether a file begins with an object in a line of its own."""
    return starts_as_lines(head.decode("utf-8-sig", "replace"))


def jsonl_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Return one row per line that is not blank, or more where the key leads through an array.

    `config.column` is the key of the text; without it the usual ones are tried on the first object. Raises
    `CorpusError` where that has none of them.
    """
    text_key = TextKey(source, config.column)
    for number, line in enumerate(decoded_lines(file, source), start=1):
        if isinstance(line, DroppedRow):
            yield line
        elif line and not line.isspace():
            where = f"line {number:,}"
            try:
                value = decode(line)
            except ValueError:
                yield DroppedRow(NOT_JSON, example(where, line))
            else:
                yield from text_key.rows(value, where)
