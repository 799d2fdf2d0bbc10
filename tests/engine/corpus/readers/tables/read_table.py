"""Reads the content of a CSV file in tests."""

from __future__ import annotations

import io
from typing import Any

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.tables.csv_rows import csv_rows
from engine.corpus.types import Row, Source


def read(
    content: str | bytes, column: str | None = None, label: str = "happy", **options: Any
) -> tuple[list[Row], list[str]]:
    """Return the rows of a file with this content, and the notes on it."""
    source = Source(name="data.csv", format="csv")
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    config = CorpusConfig(column=column, label=label, **options)
    return list(csv_rows(io.BytesIO(data), source, config)), source.notes


def rows_of(content: str | bytes, column: str | None = None, label: str = "happy", **options: Any) -> list[Row]:
    return read(content, column, label, **options)[0]


def notes_of(content: str | bytes, column: str | None = None, label: str = "happy", **options: Any) -> list[str]:
    return read(content, column, label, **options)[1]
