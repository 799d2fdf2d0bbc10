"""The types shared by `files`, `readers` and `ingest`: `Member`, `Source`, `Row`, `Reader`.

`files` resolves a path (a file, a folder, an archive) to members. A reader turns a member, or the few members of an
archive that belong together, into rows, and adds notes on what it detected to the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO

from engine.config.corpus import CorpusConfig, FileFormat
from engine.errors import CorpusError
from engine.text import EXAMPLE_CHARS, sanitize_line

HEAD_BYTES = 65_536
"""First bytes of a file by which its format is detected."""


@dataclass(frozen=True)
class Member:
    """A readable file, on disk or inside an archive; decompressed while it is read, never extracted to disk."""

    name: str
    """Its path with slashes inside the folder or archive; for a single file, the file's name."""
    open: Callable[[], BinaryIO]
    """Opens it at its first byte; may be called repeatedly. Raises `CorpusError`."""

    def head(self) -> bytes:
        """Return the first `HEAD_BYTES` bytes. Raises `CorpusError`."""
        with closing(self.open()) as file:
            return file.read(HEAD_BYTES)


@dataclass
class Source:
    """A unit of input with its own format and its own report."""

    name: str
    """For display: "tweets.csv", "archive.zip: data/tweets.js"."""
    format: FileFormat
    """Never "auto"."""
    notes: list[str] = field(default_factory=list)
    """What the reader detected, for the report; complete once all rows were read."""
    doubt: str = ""
    """Why its rows may be those of a table that was not split into columns, as a clause, or ""."""

    def name_of(self, member: Member) -> str:
        """Return the name of one of its members in messages."""
        return self.name if self.name.endswith(member.name) else f"{self.name}: {member.name}"


@dataclass(frozen=True)
class DroppedRow:
    """A row without a usable tweet, counted under `reason`."""

    reason: str
    example: str = ""
    """Location and excerpt; the report shows one per reason."""


def example(where: str, what: str) -> str:
    """Return location and excerpt of a dropped row, for `DroppedRow.example`."""
    return sanitize_line(f"{where}: {what[: 4 * EXAMPLE_CHARS]}", EXAMPLE_CHARS)


Row = str | DroppedRow
"""The raw text of a row, or why it was dropped."""


class NoTextsError(CorpusError):
    """A file is valid and has no texts: an error of a file that the user names, a note on one among others."""


Reader = Callable[[Sequence[Member], Source, CorpusConfig], Iterator[Row]]
"""Reads a file, or the files of an archive that are one source, to the end.

Raises `CorpusError`, possibly after some rows, and no other exception.
"""
