"""Chats in memory, read by a reader or, as files, with their format detected."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import pytest

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.loading import read_tweets
from engine.corpus.report import SourceReport
from engine.corpus.types import ArchiveReader, Member, Row, Source
from engine.errors import CorpusError

OTHERS_WORDS = "a secret of somebody else"


def _member(name: str, data: bytes) -> Member:
    def opened() -> BinaryIO:
        return io.BytesIO(data)

    return Member(name, opened)


def rows_of(
    reader: ArchiveReader, files: Mapping[str, bytes], file_format: FileFormat, author: str | None = None
) -> tuple[list[Row], list[str]]:
    """Return the rows and the notes of files that are one source."""
    source = Source("chat", file_format)
    members = [_member(name, data) for name, data in files.items()]
    return list(reader(members, source, CorpusConfig(author=author))), source.notes


def reasons(rows: list[Row]) -> list[str]:
    """Return the texts, and the reasons of the dropped rows."""
    return [row if isinstance(row, str) else row.reason for row in rows]


def error_of(reader: ArchiveReader, files: Mapping[str, bytes], author: str | None = None) -> CorpusError:
    """Return the error of reading files."""
    with pytest.raises(CorpusError) as caught:
        rows_of(reader, files, "text", author)
    return caught.value


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a folder and return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def loaded(path: Path, author: str | None = None) -> tuple[list[str], tuple[SourceReport, ...]]:
    """Return the tweets of a path whose format is detected, and the reports on its sources."""
    tweets, report = read_tweets(CorpusConfig(files=(str(path),), author=author))
    return list(tweets), report.sources
