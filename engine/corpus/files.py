"""From a file's path to its rows: open it, decode it, recognise its format. Never reads more than a line ahead."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from engine.corpus.readers.csv_rows import csv_rows
from engine.corpus.readers.jsonl_rows import jsonl_rows
from engine.corpus.readers.text_rows import text_rows
from engine.corpus.rows import Row
from engine.corpus_config import FileFormat
from engine.errors import CorpusError

_HEAD_BYTES = 8192
_LFS_POINTER = b"version https://git-lfs"
_JSON_OBJECT = re.compile(rb'\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\})')
_FORMAT_BY_SUFFIX: dict[str, FileFormat] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "text",
    ".text": "text",
}


def read_rows(path: Path, file_format: FileFormat, column: str | None) -> Iterator[Row]:
    """Return the rows of a file in order. Raises `CorpusError` on what can't be read, possibly after some rows."""
    try:
        head = _head(path)
        if file_format == "auto":
            file_format = recognise(head, path.suffix)
        lines = _lines(path)
        match file_format:
            case "csv":
                yield from csv_rows(lines, column, path.name)
            case "jsonl":
                yield from jsonl_rows(lines, column, path.name)
            case _:
                _refuse_column(path, column)
                yield from text_rows(lines)
    except OSError as error:
        raise CorpusError(
            f"{path} can't be read: {error.strerror or error}.", "Check the path and its permissions."
        ) from error


def recognise(head: bytes, suffix: str) -> FileFormat:
    """Return the format that a file's first bytes and, where they don't tell, its suffix speak for."""
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if _JSON_OBJECT.match(text):
        return "jsonl"
    return _FORMAT_BY_SUFFIX.get(suffix.casefold(), "csv" if text.startswith(b'"') else "text")


def _head(path: Path) -> bytes:
    """Return the first bytes of a file; raises `CorpusError` where they can't be text."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip():
        raise CorpusError(f"{path} is empty.", "Give a file with one tweet per row.")
    if head.startswith(_LFS_POINTER):
        raise CorpusError(
            f"{path} is a Git LFS pointer, not the data itself.", "Fetch the data with `git lfs pull`, or download it."
        )
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CorpusError(f"{path} is UTF-16, not UTF-8.", "Save it as UTF-8, for example: iconv -f UTF-16 -t UTF-8.")
    if b"\0" in head:
        raise CorpusError(f"{path} is not a text file.", "Give a CSV, JSON lines or text file.")
    return head


def _lines(path: Path) -> Iterator[str]:
    """Return the lines of a UTF-8 file, a byte order mark left out. Raises `CorpusError` naming the first bad line."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode()
            except UnicodeDecodeError as error:
                bad = line[error.start]
                raise CorpusError(
                    f"{path} is not UTF-8: line {number} holds the byte 0x{bad:02x}.",
                    "Save it as UTF-8, for example: iconv -f WINDOWS-1252 -t UTF-8.",
                ) from error


def _refuse_column(path: Path, column: str | None) -> None:
    """Raise `CorpusError` where a column was asked for and the format has none."""
    if column is not None:
        raise CorpusError(
            f"{path} is read as plain text, which has no column {column}.", "Say what it is: --format csv or jsonl."
        )
