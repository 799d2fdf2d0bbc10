"""Detects the format and the encoding of a file: content decides first, the file name second.

Never opens anything except the member that it is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files.archive_entries import FoundMember, suffix_of
from engine.corpus.files.encodings import (
    Encoding,
    converted,
    detected_encoding,
    encoding_named,
    in_utf8,
    marked_encoding,
    unmarked_utf_16,
)
from engine.corpus.files.exports import refusal_by_place, refusal_of_export
from engine.corpus.files.refused import NOT_TEXT, Refusal, refusal_as_text, refusal_of
from engine.corpus.ingest.formats import FORMATS
from engine.corpus.readers import text_rows
from engine.corpus.readers.json_files import json_rows, jsonl_rows
from engine.corpus.readers.lines import head_lines
from engine.corpus.readers.tables import csv_rows
from engine.corpus.types import HEAD_BYTES


def detect_format(member: FoundMember, path: Path, config: CorpusConfig) -> tuple[FoundMember, FileFormat | Refusal]:
    """Return a file as its reader opens it, a text in UTF-8, and its format or why it is not read.

    `path` is that of the file, or of the folder or archive with it: where a file is may say that it is private. Raises
    `CorpusError`.
    """
    with member.open() as file:
        head = file.read(HEAD_BYTES)
        if _is_binary(head, config.format):
            file_format = recognize_format(head, member.name) if config.format == "auto" else config.format
            return member, refusal_of(head) or file_format
        if by_place := refusal_by_place(path, member.name):
            return member, by_place
        encoding = _encoding_of(head, config)
        if encoding is None:
            return member, _text_format(head, file, member.name, config)
        text = converted(file, encoding, head)
        found = _text_format(text.read(HEAD_BYTES), text, member.name, config)
        private = refusal_of_export(head, member.name, is_forced=True)  # also if a wrong encoding hides it
        return in_utf8(member, encoding), private or found


def _is_binary(head: bytes, wanted: FileFormat) -> bool:
    """Return whether a file is to be read as a binary format."""
    if wanted != "auto":
        return bool(FORMATS[wanted].binary_name)
    return any(each.binary_name and each.looks_like and each.looks_like(head) for each in FORMATS.values())


def _encoding_of(head: bytes, config: CorpusConfig) -> Encoding | None:
    """Return the encoding of a text file, unless it is to be decoded line by line."""
    if marked := marked_encoding(head):
        return marked
    if config.encoding is not None:
        return encoding_named(config.encoding)
    refusal = refusal_as_text(head)
    if refusal is NOT_TEXT:
        return unmarked_utf_16(head)
    return None if refusal else detected_encoding(head)


def _text_format(head: bytes, rest: BinaryIO, name: str, config: CorpusConfig) -> FileFormat | Refusal:
    """Return the format of a text file in UTF-8."""
    is_forced = config.format != "auto"
    refusal = refusal_of(head) or refusal_as_text(head) or refusal_of_export(head, name, is_forced=is_forced)
    if refusal is not None:
        return (not is_forced and refusal is NOT_TEXT and _misnamed(name)) or refusal
    file_format = config.format if is_forced else _recognized_text(head, rest, name, config)
    return _with_private_posts(head, file_format, config) or file_format


def _recognized_text(head: bytes, rest: BinaryIO, name: str, config: CorpusConfig) -> FileFormat:
    """Return the format of a text file in UTF-8 that no option sets."""
    file_format = recognize_format(head, name)
    separates_text = config.separator is not None or config.blank_line_separated
    if file_format == "csv" and separates_text and suffix_of(name) not in FORMATS["csv"].suffixes:
        return "text"
    is_cut = file_format == "json" and len(head) == HEAD_BYTES and json_rows.is_one_document(head)
    return "jsonl" if is_cut and jsonl_rows.goes_on_as_lines(rest) else file_format


def _with_private_posts(head: bytes, read_as: FileFormat, config: CorpusConfig) -> Refusal | None:
    """Return why a file is not read in a format whose reader does not leave out its private posts."""
    for file_format, each in FORMATS.items():
        if file_format != read_as and each.has_private_posts is not None and each.has_private_posts(head):
            without = ", without --format" if config.format != "auto" else ""
            return Refusal(
                what=f"has posts of which only --format {file_format} leaves out the private ones",
                hint=f"Give the file as the network exported it{without}, or only its public posts.",
            )
    return None


def _misnamed(name: str) -> Refusal | None:
    """Return why a binary file is not read whose name is that of a binary format, and whose content is not."""
    suffix = suffix_of(name)
    for each in FORMATS.values():
        if each.binary_name and suffix in each.suffixes:
            what = f"is called {suffix} but is no {each.binary_name}"
            return Refusal(what=what, hint="It may be damaged: download or export it again.")
    return None


def recognize_format(head: bytes, name: str) -> FileFormat:
    """Return the format of a file by its first bytes, or else by its name."""
    suffix = suffix_of(name)
    for file_format, each in FORMATS.items():
        if each.looks_like is not None and each.looks_like(head):
            return _json_format(file_format, head, suffix) if file_format in {"json", "jsonl"} else file_format
    if suffix in FORMATS["text"].suffixes and csv_rows.is_certain(head) and not text_rows.are_labels(head_lines(head)):
        return "csv"
    for file_format, each in FORMATS.items():
        if suffix in each.suffixes and not each.binary_name and each.archive_root is None:
            return file_format
    return "csv" if csv_rows.looks_like(head) else "text"


def _json_format(file_format: FileFormat, head: bytes, suffix: str) -> FileFormat:
    """Return "json" or "jsonl" for a file that looks like one of them: in doubt, its suffix decides."""
    if suffix in FORMATS["jsonl"].suffixes and jsonl_rows.is_first_line(head):
        return "jsonl"
    return "json" if suffix == ".json" and json_rows.is_one_document(head) else file_format
