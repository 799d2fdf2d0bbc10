"""All formats in the order of their detection, which files are opened by their paths, and what each of them is.

Content decides first, the file name second. To add a format, add its `Format` to `FORMATS`. Never opens anything except
the member that it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files.archives import suffix_of
from engine.corpus.files.encodings import converted, encoding_of, in_utf8
from engine.corpus.files.refused import (
    NOT_TEXT,
    REFUSED_SUFFIXES,
    Refusal,
    refusal_as_text,
    refusal_by_place,
    refusal_of,
    refusal_of_export,
)
from engine.corpus.files.streams import HEAD_BYTES, Member
from engine.corpus.readers import csv_reader, json_values, text_reader
from engine.corpus.readers.csv_reader import CSV
from engine.corpus.readers.json_reader import JSON, JSONL
from engine.corpus.readers.networks.bluesky_reader import BLUESKY
from engine.corpus.readers.networks.mastodon_reader import MASTODON
from engine.corpus.readers.networks.x_reader import X
from engine.corpus.readers.parquet_reader import PARQUET
from engine.corpus.readers.reader import Format
from engine.corpus.readers.text_reader import TEXT, head_lines

FORMATS = (PARQUET, X, MASTODON, BLUESKY, JSONL, JSON, CSV, TEXT)
"""Every `FileFormat` but "auto"; specific formats before general ones."""


def format_named(name: FileFormat) -> Format:
    """Return the format of this name, which is not "auto"."""
    return next(each for each in FORMATS if each.name == name)


# By path --------------------------------------------------------------------------------------------------------------


def suffixes_read(config: CorpusConfig) -> tuple[str, ...]:
    """Return the suffixes of the files in a folder or archive that are read."""
    if config.format != "auto":
        return format_named(config.format).suffixes + format_named(config.format).other_suffixes
    return tuple(suffix for each in FORMATS if each.root_of is None for suffix in each.suffixes)


def is_wanted(name: str, config: CorpusConfig) -> bool:
    """Return whether a file in a folder or archive is to be opened, by its path inside."""
    if config.member is not None:
        return fnmatchcase(name, config.member) or fnmatchcase(name, f"*/{config.member}")
    if any(each.closes(name) is not None and not _reads(each, name) for each in FORMATS):
        return False  # in a network's archive, and none of the files that are read
    if config.format != "auto":
        return _reads(format_named(config.format), name)
    return suffix_of(name) in REFUSED_SUFFIXES or any(_reads(each, name) for each in FORMATS)


def _reads(each: Format, name: str) -> bool:
    """Return whether a format's files in a folder or archive may have this path."""
    is_its_own = suffix_of(name) in each.suffixes if each.root_of is None else each.root_of(name) is not None
    return is_its_own or suffix_of(name) in each.other_suffixes


def is_part(name: str) -> bool:
    """Return whether a path is that of a file with posts in the archive of a network."""
    return any(each.root_of is not None and each.root_of(name) is not None for each in FORMATS)


def closed_folders(names: Iterable[str]) -> set[str]:
    """Return the folders of the networks' archives that contain some files, as far as paths identify them."""
    roots = {each.closes(name) for each in FORMATS for name in names}
    return {root for root in roots if root is not None}


# By content -----------------------------------------------------------------------------------------------------------


def detect(member: Member, path: Path, config: CorpusConfig) -> tuple[Member, Format | Refusal]:
    """Return a file as its reader opens it, a text in UTF-8, and its format or why it is not read.

    `path` is that of the file, or of the folder or archive with it: a file can be private by its folder alone. Raises
    `CorpusError`.
    """
    wanted = None if config.format == "auto" else format_named(config.format)
    with member.open() as file:
        head = file.read(HEAD_BYTES)
        binary = wanted or next((each for each in FORMATS if each.binary_name and each.looks_like(head)), None)
        if binary is not None and binary.binary_name:
            return member, refusal_of(head) or wanted or recognize(head, member.name)
        if by_place := refusal_by_place(path, member.name):
            return member, by_place
        encoding = encoding_of(head, config.encoding)
        if encoding is None:
            return member, _text_format(head, file, member.name, wanted, config)
        text = converted(file, encoding, head)
        found = _text_format(text.read(HEAD_BYTES), text, member.name, wanted, config)
        private = refusal_of_export(head, member.name, is_forced=True)  # also if a wrong encoding hides it
        return in_utf8(member, encoding), private or found


def _text_format(
    head: bytes, rest: BinaryIO, name: str, wanted: Format | None, config: CorpusConfig
) -> Format | Refusal:
    """Return the format of a text file in UTF-8."""
    refusal = refusal_of(head) or refusal_as_text(head) or refusal_of_export(head, name, is_forced=wanted is not None)
    if refusal is not None:
        return (wanted is None and refusal is NOT_TEXT and _misnamed(name)) or refusal
    read_as = wanted or _recognized_text(head, rest, name, config)
    for each in FORMATS:
        if each is not read_as and each.has_private_posts(head):
            without = ", without --format" if wanted is not None else ""
            return Refusal(
                what=f"has posts of which only --format {each.name} leaves out the private ones",
                hint=f"Give the file as the network exported it{without}, or only its public posts.",
            )
    return read_as


def _misnamed(name: str) -> Refusal | None:
    """Return why a binary file is not read whose name is that of a binary format, and whose content is not."""
    suffix = suffix_of(name)
    for each in FORMATS:
        if each.binary_name and suffix in each.suffixes:
            what = f"is called {suffix} but is no {each.binary_name}"
            return Refusal(what=what, hint="It may be damaged: download or export it again.")
    return None


def _recognized_text(head: bytes, rest: BinaryIO, name: str, config: CorpusConfig) -> Format:
    """Return the format of a text file in UTF-8 that no option sets."""
    found = recognize(head, name)
    separates_text = config.separator is not None or config.blank_line_separated
    if found is CSV and separates_text and suffix_of(name) not in CSV.suffixes:
        return TEXT
    is_cut = found is JSON and len(head) == HEAD_BYTES and json_values.is_one_line(head)
    return JSONL if is_cut and json_values.goes_on_as_lines(rest) else found


def recognize(head: bytes, name: str) -> Format:
    """Return the format of a file by its first bytes, or else by its name."""
    suffix = suffix_of(name)
    found = next((each for each in FORMATS if each.looks_like(head)), None)
    if found in (JSONL, JSON):  # in doubt, the suffix decides
        if suffix in JSONL.suffixes and json_values.is_first_line(head):
            return JSONL
        return JSON if suffix in JSON.suffixes and json_values.is_one_line(head) else found
    if found is not None:
        return found
    if suffix in TEXT.suffixes and csv_reader.is_certain(head) and not text_reader.are_labels(head_lines(head)):
        return CSV
    for each in FORMATS:
        if suffix in each.suffixes and not each.binary_name and each.root_of is None:
            return each
    return CSV if csv_reader.looks_like(head) else TEXT
