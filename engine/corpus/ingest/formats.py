"""The table of formats: reader, file suffixes and detector of each. To add a format, add its row here.

Also which files of a folder or archive are opened, by their paths. `detection` applies the detectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files.archive_entries import suffix_of
from engine.corpus.readers import text_rows
from engine.corpus.readers.archives import (
    bluesky_rows,
    mastodon_rows,
    meta_files,
    meta_rows,
    misskey_rows,
    reddit_export,
    reddit_rows,
    x_files,
    x_rows,
)
from engine.corpus.readers.chats import discord_files, discord_rows, telegram_rows, whatsapp_rows
from engine.corpus.readers.json_files import json_rows, jsonl_rows
from engine.corpus.readers.tables import arrow_rows, csv_rows, excel_rows, parquet_rows, sentiment140_rows
from engine.corpus.types import ArchiveReader, Member, Reader


@dataclass(frozen=True, kw_only=True)
class Format:
    """One row of the table."""

    reader: Reader | None = None
    """Reads a file; None if `archive_reader` does."""
    archive_reader: ArchiveReader | None = None
    """Reads the files of an archive as one source."""
    suffixes: tuple[str, ...] = ()
    """Suffixes of its files in lower case, or the whole name of its one file."""
    other_suffixes: tuple[str, ...] = ()
    """Suffixes of other formats whose files in a folder or archive are also read with --format NAME."""
    looks_like: Callable[[bytes], bool] | None = None
    """Detects the format by a file's first bytes; None: only the name does."""
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
    options: tuple[str, ...] = ()
    """Fields of `CorpusConfig` that this format uses and others do not: "column", "label_column", "author"."""
    binary_name: str = ""
    """What a file of a binary format is called: "Bluesky repository"; "" for a text format."""

    def reads(self, name: str) -> bool:
        """Return whether a file in a folder or archive is to be opened, by its name."""
        if self.archive_root is not None:
            return self.archive_root(name) is not None or suffix_of(name) in self.other_suffixes
        return suffix_of(name) in self.suffixes + self.other_suffixes


_TABLES = (".csv", ".tsv", ".tab")
_TEXTS = (".txt", ".text")
_JSON_LINES = (".jsonl", ".ndjson")
_COLUMNS = ("column", "label_column")

FORMATS: dict[FileFormat, Format] = {  # detected in this order: specific formats before general ones
    "parquet": Format(
        reader=parquet_rows.parquet_rows,
        suffixes=(".parquet", ".pq"),
        looks_like=parquet_rows.looks_like,
        binary_name="Parquet file",
        options=_COLUMNS,
    ),
    "arrow": Format(
        reader=arrow_rows.arrow_rows,
        suffixes=(".arrow", ".arrows", ".feather", ".ipc"),
        looks_like=arrow_rows.looks_like,
        binary_name="Arrow file",
        options=_COLUMNS,
    ),
    "excel": Format(
        reader=excel_rows.excel_rows,
        suffixes=(".xlsx", ".xlsm"),
        looks_like=excel_rows.looks_like,
        binary_name="Excel workbook",
        options=_COLUMNS,
    ),
    "x": Format(
        archive_reader=x_rows.x_rows,
        suffixes=(".js", "tweets.csv"),
        looks_like=x_files.looks_like,
        archive_root=x_files.archive_root,
        enclosing_root=x_files.enclosing_root,
        main_first=x_files.main_first,
        never_read="messages, deleted tweets, community tweets and media",
    ),
    "mastodon": Format(
        reader=mastodon_rows.mastodon_rows,
        suffixes=(mastodon_rows.FILE_NAME,),
        looks_like=mastodon_rows.looks_like,
        archive_root=mastodon_rows.archive_root,
    ),
    "reddit": Format(
        archive_reader=reddit_rows.reddit_rows,
        other_suffixes=(".json", *_JSON_LINES),
        looks_like=reddit_rows.looks_like,
        archive_root=reddit_rows.archive_root,
        enclosing_root=reddit_export.enclosing_root,
        never_read="messages, chats, drafts and votes",
        options=("column",),
    ),
    "misskey": Format(reader=misskey_rows.misskey_rows, other_suffixes=(".json",), looks_like=misskey_rows.looks_like),
    "bluesky": Format(
        reader=bluesky_rows.bluesky_rows,
        suffixes=(".car",),
        other_suffixes=(".json", *_JSON_LINES),
        looks_like=bluesky_rows.looks_like,
        binary_name="Bluesky repository",
    ),
    "meta": Format(
        archive_reader=meta_rows.meta_rows,
        suffixes=(".json",),
        looks_like=meta_files.looks_like,
        archive_root=meta_files.archive_root,
        enclosing_root=meta_files.enclosing_root,
        never_read="messages, comments, groups, archived and deleted posts",
    ),
    "telegram": Format(
        archive_reader=telegram_rows.telegram_rows,
        suffixes=(telegram_rows.FILE_NAME,),
        looks_like=telegram_rows.looks_like,
        archive_root=telegram_rows.archive_root,
        never_read="media and files of the chats",
        options=("author",),
    ),
    "whatsapp": Format(
        archive_reader=whatsapp_rows.whatsapp_rows,
        suffixes=("_chat.txt", "WhatsApp Chat with NAME.txt"),
        looks_like=whatsapp_rows.looks_like,
        archive_root=whatsapp_rows.archive_root,
        never_read="media and files of the chats",
        options=("author",),
    ),
    "discord": Format(
        archive_reader=discord_rows.discord_rows,
        suffixes=("messages.json", "messages.csv"),
        looks_like=discord_files.looks_like,
        archive_root=discord_files.archive_root,
        main_first=discord_files.messages_first,
        never_read="account, activity, servers and media",
        options=("author",),
    ),
    "sentiment140": Format(
        reader=sentiment140_rows.sentiment140_rows,
        other_suffixes=_TABLES + _TEXTS,
        looks_like=sentiment140_rows.looks_like,
        options=_COLUMNS,
    ),
    "jsonl": Format(
        reader=jsonl_rows.jsonl_rows,
        suffixes=_JSON_LINES,
        other_suffixes=(".json", ".txt"),
        looks_like=jsonl_rows.looks_like,
        options=_COLUMNS,
    ),
    "json": Format(
        reader=json_rows.json_rows,
        suffixes=(".json",),
        looks_like=json_rows.looks_like,
        options=_COLUMNS,
    ),
    "csv": Format(
        reader=csv_rows.csv_rows,
        suffixes=_TABLES,
        other_suffixes=_TEXTS,
        options=_COLUMNS,
    ),
    "text": Format(
        reader=text_rows.text_rows, suffixes=_TEXTS, other_suffixes=_TABLES, looks_like=text_rows.looks_like
    ),
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
    formats = FORMATS.values() if config.format == "auto" else (FORMATS[config.format],)
    return any(each.reads(name) for each in formats) and not _is_never_opened(name)


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
