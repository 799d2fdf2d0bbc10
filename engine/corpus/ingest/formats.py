"""The table of formats: detector, reader and file suffixes of each. To add a format, add its reader here.

Content decides first, the file name second. Never opens anything except the member that it is given.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.config.corpus import FileFormat
from engine.corpus.files.archive_entries import suffix_of
from engine.corpus.files.sniffing import Problem, problem_as_text, problem_of
from engine.corpus.readers import text_rows
from engine.corpus.readers.archives import bluesky_rows, mastodon_rows, x_rows
from engine.corpus.readers.json_files import json_rows, jsonl_rows
from engine.corpus.readers.tables import csv_rows, parquet_rows, sentiment140_rows
from engine.corpus.types import Member, Reader

HEAD_BYTES = 65_536
"""Bytes of a file that detection sees."""
OUTBOX = "outbox.json"

_DETECTORS: tuple[tuple[FileFormat, Callable[[bytes], bool]], ...] = (  # specific formats before general ones
    ("parquet", parquet_rows.looks_like),
    ("x", x_rows.looks_like),
    ("mastodon", mastodon_rows.looks_like),
    ("bluesky", bluesky_rows.looks_like),
    ("sentiment140", sentiment140_rows.looks_like),
    ("jsonl", jsonl_rows.looks_like),
    ("json", json_rows.looks_like),
)
READERS: dict[str, Reader] = {
    "csv": csv_rows.csv_rows,
    "sentiment140": sentiment140_rows.sentiment140_rows,
    "mastodon": mastodon_rows.mastodon_rows,
    "bluesky": bluesky_rows.bluesky_rows,
    "jsonl": jsonl_rows.jsonl_rows,
    "json": json_rows.json_rows,
    "parquet": parquet_rows.parquet_rows,
    "text": text_rows.text_rows,
}
_BINARY_FORMATS = ("parquet", "bluesky")
_BY_SUFFIX: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".txt": "text",
    ".text": "text",
}
_TABLES = (".csv", ".tsv", ".tab", ".txt", ".text")
SUFFIXES: dict[FileFormat, tuple[str, ...]] = {
    "auto": (*_BY_SUFFIX, ".parquet", ".pq", ".car"),
    "csv": _TABLES,
    "sentiment140": _TABLES,
    "bluesky": (".car", ".json", ".jsonl", ".ndjson"),
    "jsonl": (".jsonl", ".ndjson", ".json", ".txt"),
    "json": (".json",),
    "parquet": (".parquet", ".pq"),
    "text": _TABLES,
}
"""Suffixes of the files in a folder or archive that are read with each --format."""


def recognize_format(head: bytes, name: str) -> FileFormat:
    """Return the format of a file by its first bytes, or else by its name."""
    for file_format, looks_like in _DETECTORS:
        if looks_like(head):
            is_document = file_format == "jsonl" and suffix_of(name) == ".json" and json_rows.is_one_document(head)
            return "json" if is_document else file_format
    return _BY_SUFFIX.get(suffix_of(name), "csv" if csv_rows.looks_like(head) else "text")


def is_wanted(name: str, file_format: FileFormat) -> bool:
    """Return whether a file in a folder or archive is to be opened, by its name."""
    if file_format == "mastodon":
        return is_outbox(name)
    is_part_of_x = file_format in ("auto", "x") and x_rows.is_part(name)
    return is_part_of_x or suffix_of(name) in SUFFIXES.get(file_format, ())


def is_outbox(name: str) -> bool:
    """Return whether a file has the name of the posts in a Mastodon archive."""
    return name.rpartition("/")[2] == OUTBOX


def detect_format(member: Member, wanted: FileFormat) -> FileFormat | Problem:
    """Return a file's format (`wanted`, unless that is "auto"), or why it can't be read. Raises `CorpusError`."""
    with member.open() as file:
        head = file.read(HEAD_BYTES)
    if problem := problem_of(head):
        return problem
    file_format = recognize_format(head, member.name) if wanted == "auto" else wanted
    return (None if file_format in _BINARY_FORMATS else problem_as_text(head)) or file_format
