"""The table of formats: reader, file suffixes and detector of each. To add a format, add its row here.

Also which files of a folder or archive are opened, by their paths. `detection` applies the detectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import BinaryIO

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files.archive_entries import suffix_of
from engine.corpus.files.refused import REFUSED_SUFFIXES
from engine.corpus.readers import bluesky_reader, mastodon_reader, text_rows
from engine.corpus.readers.archives import x_files, x_rows
from engine.corpus.readers.json_files import json_rows, jsonl_rows
from engine.corpus.readers.tables import csv_rows, parquet_rows
from engine.corpus.types import Member, Reader, Row, Source


@dataclass(frozen=True, kw_only=True)
class Format:
    """One row of the table."""

    reader: Reader
    suffixes: tuple[str, ...] = ()
    """Suffixes of its files in lower case, or the whole name of its one file."""
    other_suffixes: tuple[str, ...] = ()
    """Suffixes of other formats whose files in a folder or archive are also read with --format NAME."""
    looks_like: Callable[[bytes], bool] | None = None
    """Detects the format by a file's first bytes; None: only the name does."""
    has_private_posts: Callable[[bytes], bool] | None = None
    """Detects by the first bytes that a file may have private posts among others, which only this reader leaves out."""
    archive_root: Callable[[str], str | None] | None = None
    """For a network's archive, a file's path inside -> the archive's folder ("" or with a final slash), or None if the
    file is not one of those that are read. Replaces `suffixes`."""
    enclosing_root: Callable[[str], str | None] | None = None
    """A file's path inside -> the archive's folder, for paths that only such an archive has, of files of any kind; else
    None. Of these files, only those with an `archive_root` are opened."""
    main_first: Callable[[Member], int] | None = None
    """Sort key of an archive's parts that puts those which name the source first."""
    never_read: str = ""
    """What else is in its archives, for the note on files that are not opened."""
    has_columns: bool = False
    """Whether it uses --column and --label-column."""
    binary_name: str = ""
    """What a file of a binary format is called: "Bluesky repository"; "" for a text format."""

    def reads(self, name: str) -> bool:
        """Return whether a file in a folder or archive is to be opened, by its name."""
        if self.archive_root is not None:
            return self.archive_root(name) is not None or suffix_of(name) in self.other_suffixes
        return suffix_of(name) in self.suffixes + self.other_suffixes


def _of_one_file(rows_of: Callable[[BinaryIO, Source, CorpusConfig], Iterator[Row]]) -> Reader:
    """Return the reader of a format whose sources are one file each."""

    def rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
        with closing(members[0].open()) as file:
            yield from rows_of(file, source, config)

    return rows


_TABLES = (".csv", ".tsv", ".tab")
_TEXTS = (".txt", ".text")
_JSON_LINES = (".jsonl", ".ndjson")

FORMATS: dict[FileFormat, Format] = {  # detected in this order: specific formats before general ones
    "parquet": Format(
        reader=_of_one_file(parquet_rows.parquet_rows),
        suffixes=(".parquet", ".pq"),
        looks_like=parquet_rows.looks_like,
        binary_name="Parquet file",
        has_columns=True,
    ),
    "x": Format(
        reader=x_rows.x_rows,
        suffixes=(".js", "tweets.csv"),
        looks_like=x_files.looks_like,
        has_private_posts=x_files.has_private_posts,
        archive_root=x_files.archive_root,
        enclosing_root=x_files.enclosing_root,
        main_first=x_files.main_first,
        never_read="messages, deleted tweets, community tweets and media",
    ),
    "mastodon": Format(
        reader=mastodon_reader.mastodon_rows,
        suffixes=(mastodon_reader.FILE_NAME,),
        looks_like=mastodon_reader.looks_like,
        has_private_posts=mastodon_reader.has_private_posts,
        archive_root=mastodon_reader.archive_root,
    ),
    "bluesky": Format(
        reader=bluesky_reader.bluesky_rows,
        suffixes=(".car",),
        other_suffixes=(".json", *_JSON_LINES),
        looks_like=bluesky_reader.looks_like,
        binary_name="Bluesky repository",
    ),
    "jsonl": Format(
        reader=_of_one_file(jsonl_rows.jsonl_rows),
        suffixes=_JSON_LINES,
        other_suffixes=(".json", ".txt"),
        looks_like=jsonl_rows.looks_like,
        has_columns=True,
    ),
    "json": Format(
        reader=_of_one_file(json_rows.json_rows),
        suffixes=(".json",),
        looks_like=json_rows.looks_like,
        has_columns=True,
    ),
    "csv": Format(reader=_of_one_file(csv_rows.csv_rows), suffixes=_TABLES, other_suffixes=_TEXTS, has_columns=True),
    "text": Format(reader=_of_one_file(text_rows.text_rows), suffixes=_TEXTS, other_suffixes=_TABLES),
}
"""Every `FileFormat` but "auto"."""
_WITH_ENCLOSING_ROOT = [(each, each.enclosing_root) for each in FORMATS.values() if each.enclosing_root is not None]


def suffixes_read(file_format: FileFormat) -> tuple[str, ...]:
    """Return the suffixes of the files in a folder or archive that are read with a --format."""
    if file_format != "auto":
        return FORMATS[file_format].suffixes + FORMATS[file_format].other_suffixes
    return tuple(suffix for each in FORMATS.values() if each.archive_root is None for suffix in each.suffixes)


def is_wanted(name: str, config: CorpusConfig) -> bool:
    """Return whether a file in a folder or archive is to be opened, by its path inside."""
    if config.member is not None:
        return fnmatchcase(name, config.member) or fnmatchcase(name, f"*/{config.member}")
    if config.format != "auto":
        return FORMATS[config.format].reads(name) and not _is_never_opened(name)
    is_read = any(each.reads(name) for each in FORMATS.values()) or suffix_of(name) in REFUSED_SUFFIXES
    return is_read and not _is_never_opened(name)


def _is_never_opened(name: str) -> bool:
    """Return whether a file is in a network's archive, by its path, and none of those that are read."""
    return any(root_of(name) is not None and not each.reads(name) for each, root_of in _WITH_ENCLOSING_ROOT)


def is_part(name: str) -> bool:
    """Return whether a path is that of a file with posts in the archive of a network."""
    return any(each.archive_root is not None and each.archive_root(name) is not None for each in FORMATS.values())


def enclosing_roots(names: Iterable[str]) -> set[str]:
    """Return the folders of the networks' archives that contain some files, as far as paths identify them."""
    roots = {root_of(name) for _, root_of in _WITH_ENCLOSING_ROOT for name in names}
    return {root for root in roots if root is not None}
