"""Sentiment140 (Go, Bhayani, Huang 2009): six columns (polarity, id, date, query, user, text), header or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.lines import decoded_lines, head_lines
from engine.corpus.readers.tables.csv_dialect import Sample, find_dialect, first_lines
from engine.corpus.readers.tables.labels import POLARITIES, label_of
from engine.corpus.types import Row, Source
from engine.errors import CorpusError

NUM_COLUMNS = 6
POLARITY, DATE, TEXT = 0, 2, 5

_DATE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [A-Z]{3,4} \d{4}")
_CLEAR_SHARE = 0.8
_HEAD_BYTES = 16_384
"""Bytes that detection sees: about 100 records."""


def sentiment140_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per record; one with another polarity than `config.label` is dropped.

    Raises `CorpusError` if the file has another number of columns.
    """
    lines = decoded_lines(file, source)
    head = first_lines(lines)
    dialect = find_dialect(head, source, config, text_column=TEXT, label_column=POLARITY)
    if dialect.layout.num_columns != NUM_COLUMNS:
        raise CorpusError(
            f"{source.name} is not Sentiment140: it has {dialect.layout.num_columns} columns, not {NUM_COLUMNS}.",
            "Omit --format, or use --format csv.",
        )
    yield from dialect.rows(chain(head, lines))


def looks_like(head: bytes) -> bool:
    """Return whether a file starts with six columns that have polarities and dates in the right places."""
    records = Sample(head_lines(head[:_HEAD_BYTES]), ",").records
    num_fitting = sum(map(_is_fitting, records))
    return num_fitting >= _CLEAR_SHARE * max(1, len(records) - 1)  # one may be the header


def _is_fitting(fields: list[str]) -> bool:
    return (
        len(fields) == NUM_COLUMNS
        and label_of(fields[POLARITY]) in {*POLARITIES, ""}
        and _DATE.fullmatch(fields[DATE].strip()) is not None
    )
