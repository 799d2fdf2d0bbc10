"""Detects files without text by their first bytes: empty, a Git LFS pointer, a picture, a program."""

from __future__ import annotations

from dataclasses import dataclass

from engine.corpus.files.office import document_of
from engine.errors import CorpusError

_LFS_POINTER = b"version https://git-lfs"
_UNPACK = "Extract it and give a file in it."
_TYPE_OUT = "Tweets in a picture can't be read: give a CSV, JSON lines or text file."
_SAVE_AS_TEXT = "Save its text as a plain text file with one tweet per line."
_SAVE_AS_NEW = "Save it in its program as .xlsx, CSV or plain text, without a password."
_OTHER_FILE = "Give a CSV, JSON lines or text file."
_NON_TEXT_SIGNATURES = (
    (b"PK\x03\x04", "an archive inside another file", _UNPACK),
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)", _TYPE_OUT),
    (b"\xff\xd8\xff", "a picture (JPEG)", _TYPE_OUT),
    (b"GIF8", "a picture (GIF)", _TYPE_OUT),
    (b"%PDF-", "a PDF document", _SAVE_AS_TEXT),
    (rb"{\rtf", "an RTF document", _SAVE_AS_TEXT),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"FEA1\0\0\0\0", "a table in version 1 of Feather", "Save it as Feather 2, Parquet or CSV."),
    (b"SQLite format 3\0", "an SQLite database", "Export the table with the tweets as CSV."),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an Office document in an old format (such as .xls) or with a password",
        _SAVE_AS_NEW,
    ),
    (b"\x7fELF", "a program", _OTHER_FILE),
    (b"MZ\x90\0", "a program", _OTHER_FILE),
    (b"\xcf\xfa\xed\xfe", "a program", _OTHER_FILE),
)
"""First bytes, name of the format, and hint."""
_CONTROLS = bytes(range(8)) + bytes(range(14, 27)) + bytes(range(28, 32)) + b"\x0b\x7f"
_MAX_CONTROL_SHARE = 0.05
"""Text may have a stray NUL byte, whose line is dropped; of random bytes a ninth are control characters."""


@dataclass(frozen=True)
class Problem:
    """Why a file can't contain tweets."""

    what: str
    """A phrase that follows the file's name: "is empty"."""
    hint: str

    def error(self, name: str) -> CorpusError:
        """Return it as the error of the file `name`."""
        return CorpusError(f"{name} {self.what}.", self.hint)


NOT_TEXT = Problem("is not a text file", _OTHER_FILE)
"""The problem of a file with binary data of an unknown format."""


def problem_of(head: bytes) -> Problem | None:
    """Return the problem of a file of any format with these first bytes."""
    if not head.strip():
        return Problem("is empty", "Give a file with one tweet per row.")
    if head.startswith(_LFS_POINTER):
        return Problem(
            "is a Git LFS pointer, not the data itself", "Fetch the data with `git lfs pull`, or download it."
        )
    return None


def problem_as_text(head: bytes) -> Problem | None:
    """Return the problem of a text file with these first bytes."""
    if document := document_of(head):
        return Problem(f"is {document.what}, not a text file", document.hint)
    for magic, what, hint in _NON_TEXT_SIGNATURES:
        if head.startswith(magic):
            return Problem(f"is {what}, not a text file", hint)
    if len(head.translate(None, _CONTROLS)) < (1 - _MAX_CONTROL_SHARE) * len(head):
        return NOT_TEXT
    return None
