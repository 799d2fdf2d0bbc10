"""What every reader is made of: `Format`, the `Source` that it reads, and the `Row`s that it yields.

The module of a reader ends in its `Format`, such as `CSV = Format(name="csv", ...)`; `engine.corpus.formats` lists them
in the order of their detection. A reader yields rows, and adds notes on what it detected to the source.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files.streams import Member
from engine.errors import CorpusError
from engine.text import EXAMPLE_CHARS, sanitize_line

MAX_WHOLE_BYTES = 1 << 30
"""Limit of a file that is read as a whole."""
_BLOCK_BYTES = 1 << 20
_HEAD_ROWS, _HEAD_CHARS = 1000, 1_000_000


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


BOOST, REPOST, RETWEET = "boost", "repost", "retweet"
"""Reasons of dropped rows that repeat another person's post."""
EMPTY, NOT_A_TEXT, ONLY_A_LINK = "empty", "not a text", "only a link"
Row = str | DroppedRow
"""The raw text of a row, or why it was dropped."""
Rows = Callable[[Sequence[Member], Source, CorpusConfig], Iterator[Row]]
"""Reads a file, or the files of an archive that are one source, to the end.

Raises `CorpusError`, possibly after some rows, and no other exception.
"""


class NoTextsError(CorpusError):
    """A file is valid and has no texts: an error of a file that the user names, a note on one among others."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format of files with tweets: how it is recognized and read."""

    name: FileFormat
    rows: Rows
    suffixes: tuple[str, ...] = ()
    """Suffixes of its files in lower case, or the whole name of its one file."""
    other_suffixes: tuple[str, ...] = ()
    """Suffixes of other formats whose files in a folder or archive are also read with --format NAME."""
    looks_like: Callable[[bytes], bool] = lambda _: False
    """Detects the format by a file's first bytes; by default, only the name does."""
    has_private_posts: Callable[[bytes], bool] = lambda _: False
    """Detects by the first bytes that a file may have private posts among others, which only this reader leaves out."""
    root_of: Callable[[str], str | None] | None = None
    """For a network's archive, a file's path inside -> the archive's folder ("" or with a final slash), or None if the
    file is not one of those that are read. Replaces `suffixes`."""
    closes: Callable[[str], str | None] = lambda _: None
    """A file's path inside -> the archive's folder, for paths that only such an archive has, of files of any kind; else
    None. Of these files, only those with a `root_of` are opened."""
    main_first: Callable[[Member], int] = lambda _: 0
    """Sort key of an archive's parts that puts those which name the source first."""
    never_read: str = ""
    """What else is in its archives, for the note on files that are not opened."""
    has_columns: bool = False
    """Whether it uses --column and --label-column."""
    binary_name: str = ""
    """What a file of a binary format is called: "Bluesky repository"; "" for a text format."""


def of_one_file(rows_of: Callable[[BinaryIO, Source, CorpusConfig], Iterator[Row]]) -> Rows:
    """Return the `Format.rows` of a format whose sources are one file each, which `rows_of` reads as a stream."""

    def rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
        with closing(members[0].open()) as file:
            yield from rows_of(file, source, config)

    return rows


def whole(member: Member, source: Source) -> bytes:
    """Return the content of a file. Raises `CorpusError` if it is over `MAX_WHOLE_BYTES`."""
    content = io.BytesIO()
    with closing(member.open()) as file:
        while block := file.read(_BLOCK_BYTES):
            content.write(block)
            if content.tell() > MAX_WHOLE_BYTES:
                raise CorpusError(
                    f"{source.name} is over {MAX_WHOLE_BYTES >> 20:,} MB, too large to be read as a whole.",
                    "Extract Parquet from an archive; save JSON as JSON Lines, one value per line.",
                )
    return content.getvalue()


def head_of(rows: Iterator[Row]) -> list[Row]:
    """Consume and return the first rows or lines, by which it is detected what the others are."""
    head: list[Row] = []
    num_chars = 0
    while len(head) < _HEAD_ROWS and num_chars < _HEAD_CHARS and (row := next(rows, None)) is not None:
        head.append(row)
        num_chars += len(row) if isinstance(row, str) else 0
    return head


def example(where: str, what: str) -> str:
    """Return location and excerpt of a dropped row, for `DroppedRow.example`."""
    return sanitize_line(f"{where}: {what[: 4 * EXAMPLE_CHARS]}", EXAMPLE_CHARS)


def located(row: Row, place: str, number: int) -> Row:
    """Return a row with its location in its example, if it is dropped: "line 3"."""
    return DroppedRow(row.reason, example(f"{place} {number:,}", row.example)) if isinstance(row, DroppedRow) else row
