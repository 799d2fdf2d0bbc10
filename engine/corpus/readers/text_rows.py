"""Plain text: every line is a tweet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.corpus.rows import Row


def text_rows(lines: Iterable[str]) -> Iterator[Row]:
    """Return one row per line."""
    for line in lines:
        yield line.rstrip("\r\n")
