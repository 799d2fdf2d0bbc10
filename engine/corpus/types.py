"""The words that opening and reading share: a `Member` that can be opened, a `Source` that gives rows, a `Row`.

`files` turns what the user named (a file, a folder, an archive) into members; a reader turns a member, or the few of
an archive that belong together, into rows, and notes on the source what it found out on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.text import EXAMPLE_CHARS, harmless


@dataclass(frozen=True)
class Member:
    """A file that can be read, on disk or inside an archive; decompressed while it is read, never unpacked to disk."""

    name: str
    """Its path inside what the user named, with slashes; the file's own name where that is a file."""
    open: Callable[[], BinaryIO]
    """Opens it from the beginning, each time it is called. Raises `CorpusError`."""


@dataclass
class Source:
    """What is read in one go and reported by itself."""

    name: str
    """As the user knows it: "tweets.csv", "archive.zip: data/tweets.js"."""
    format: str
    """A `FileFormat` other than "auto"."""
    notes: list[str] = field(default_factory=list)
    """What the reader found out and a person may want to know, complete once all rows were read."""


@dataclass(frozen=True)
class DroppedRow:
    """A row that holds no tweet; it is counted under `reason`."""

    reason: str
    example: str = ""
    """The beginning of what was dropped, and where it stood; the report shows one for each reason."""


def example(where: str, what: str) -> str:
    """Return the beginning of what was dropped, and where it stood."""
    return harmless(f"{where}: {what[: 4 * EXAMPLE_CHARS]}", EXAMPLE_CHARS)


Row = str | DroppedRow
"""A row of a file: its raw text, or why it has none."""

Reader = Callable[[BinaryIO, Source, CorpusConfig], Iterator[Row]]
"""Reads an open file to its end. Raises `CorpusError`, possibly after some rows; never leaks another exception."""
