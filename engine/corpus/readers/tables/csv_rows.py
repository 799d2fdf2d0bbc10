"""CSV: tweets from one column, detected or set by --column, filtered by label. Detection is in `csv_dialect`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.lines import decoded_lines, head_lines
from engine.corpus.readers.tables.csv_dialect import Sample, find_delimiter, find_dialect, first_lines
from engine.corpus.types import Row, Source

_CLEAR_SHARE = 0.7
"""Least share of records with the same number of columns, to detect CSV by content alone."""
_CLEAR_QUOTED_SHARE = 0.9


def csv_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per record except the header. Raises `CorpusError` if `config.column` does not exist.

    The text is in `config.column` (a name in the header, or a number from 1), or else in the column with the greatest
    mean length. A record with another number of columns is dropped.
    """
    lines = decoded_lines(file, source)
    head = first_lines(lines)
    dialect = find_dialect(head, source, config)
    yield from dialect.rows(chain(head, lines))


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a table, or as one column with a quoted first field."""
    lines = head_lines(head)
    if not lines or lines[0].lstrip().startswith(("{", "[")):
        return False
    sample = Sample(lines, find_delimiter(lines))
    if sample.is_table():
        return sample.share >= _CLEAR_SHARE and len(sample.records) > 1
    return sample.share >= _CLEAR_QUOTED_SHARE and lines[0].startswith('"') and _is_strict(lines, sample.delimiter)


def _is_strict(lines: list[str], delimiter: str) -> bool:
    """Return whether the first record is strictly valid CSV."""
    try:
        next(csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True
