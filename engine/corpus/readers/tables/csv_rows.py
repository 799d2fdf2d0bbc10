"""CSV: one column of tweets, or one of several, found or named; labelled ones by their label."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.lines import decoded_lines, head_lines
from engine.corpus.readers.tables.csv_dialect import Sample, find_delimiter, find_layout, first_lines
from engine.corpus.types import Row, Source

_CLEAR_SHARE = 0.7
"""Of a table's first records, as many have one number of columns where the file is called CSV for its look alone."""
_CLEAR_QUOTED_SHARE = 0.9


def csv_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Return one row per record, the header left out. Raises `CorpusError` where there is no column as was asked for.

    The text is in `config.column` (a name in the header, or a number from 1), or else in the column whose fields are
    the longest on average. A record with another number of columns than the file is unusable, not cut short.
    """
    lines = decoded_lines(file, source)
    head = first_lines(lines)
    layout = find_layout(head, source, config)
    yield from layout.rows(chain(head, lines))


def looks_like(head: bytes) -> bool:
    """Say whether a file that begins with `head` is a table, or one column of which the first field is quoted."""
    lines = head_lines(head)
    if not lines or lines[0].lstrip().startswith(("{", "[")):
        return False
    sample = Sample(lines, find_delimiter(lines))
    if sample.is_table():
        return sample.share >= _CLEAR_SHARE and len(sample.records) > 1
    return sample.share >= _CLEAR_QUOTED_SHARE and lines[0].startswith('"') and _is_strict(lines, sample.delimiter)


def _is_strict(lines: list[str], delimiter: str) -> bool:
    """Say whether the first record keeps to the rules of CSV."""
    try:
        next(csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True
