r"""Files that are not read as tweets, by their first bytes and their paths: what each is, and what to do instead.

Pictures, documents and programs have no tweets that could be read. To refuse another kind of file, add a row to
`_NOT_TEXTS`. Exports with other people's words and private files are in `exports`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.errors import CorpusError

_NO_PATH = re.compile(r"(?!)")
_Test = Callable[[bytes], bool]
"""Whether a file is of a kind, by its first bytes; of an export, without byte order mark and blanks before them."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A kind of file that is not read."""

    what: str
    """What it is, a phrase that follows the file's name: "is empty"."""
    hint: str
    looks_like: _Test = lambda _: False
    files: re.Pattern[str] = _NO_PATH
    """Usual paths of the files of an export; group 1 is its folder, in which nothing else is read either."""
    paths: re.Pattern[str] = _NO_PATH
    """Starts of paths that only such an export has, whatever the file's content; group 1 is its folder."""
    pairs: re.Pattern[str] = _NO_PATH
    """Starts of paths that others have, too; group 1 is the folder of an export if two of the other groups match."""

    def error(self, name: str) -> CorpusError:
        """Return the error of the file or folder `name`."""
        return CorpusError(f"{name} {self.what}.", self.hint)


def starts_with(*alternatives: tuple[bytes, ...]) -> _Test:
    """Return a test for a start with the first pattern of an alternative, with the others anywhere after it."""
    compiled = [[re.compile(pattern, re.DOTALL) for pattern in patterns] for patterns in alternatives]

    def looks_like(head: bytes) -> bool:
        return any(first.match(head) and all(each.search(head) for each in others) for first, *others in compiled)

    return looks_like


# Any file -------------------------------------------------------------------------------------------------------------

EMPTY = Refusal(what="is empty", hint="Give a file with one tweet per row.")
_LFS_POINTER = Refusal(
    what="is a Git LFS pointer, not the data itself", hint="Fetch the data with `git lfs pull`, or download it."
)
NOT_TEXT = Refusal(what="is not a text file", hint="Give a CSV, JSON lines or text file.")


def refusal_of(head: bytes) -> Refusal | None:
    """Return why a file of any format with these first bytes is not read."""
    if not head.strip():
        return EMPTY
    return _LFS_POINTER if head.startswith(b"version https://git-lfs") else None


# Files without text ---------------------------------------------------------------------------------------------------

_AS_TEXT = "Save its text as a plain text file with one tweet per line."
_AS_SHEET = "Save the sheet with the tweets as CSV."
_UNPACK = "Extract it and give a file in it."
_LOCAL_HEADER = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
_MIME_TYPE = re.compile(rb"PK\x03\x04.{26}mimetype(application/[\w.+-]+)", re.DOTALL)
_CONTROLS = bytes(range(8)) + bytes(range(14, 27)) + bytes(range(28, 32)) + b"\x0b\x7f"
_MAX_CONTROL_SHARE = 0.05
"""Text may have a stray NUL byte, whose line is dropped; of random bytes a ninth are control characters."""


def _has_part(*prefixes: str) -> _Test:
    """Return a test for a document that is a zip archive with a part whose name starts so, as far as headers show."""
    return lambda head: any(name.startswith(prefixes) for name in _names_in(head))


def _is_mime(*prefixes: bytes) -> _Test:
    """Return a test for a document that is a zip archive, whose first part is its type."""
    return lambda head: (found := _MIME_TYPE.match(head)) is not None and found[1].startswith(prefixes)


def _names_in(head: bytes) -> list[str]:
    """Return the names in the local headers of a zip archive."""
    return [
        head[found.end() : found.end() + struct.unpack("<H", found[1])[0]].decode(errors="replace")
        for found in (_LOCAL_HEADER.finditer(head) if head.startswith(b"PK\x03\x04") else ())
    ]


_DOCUMENTS = (
    Refusal(what="is an Excel workbook", hint=_AS_SHEET, looks_like=_has_part("xl/")),
    Refusal(what="is a Word document", hint=_AS_TEXT, looks_like=_has_part("word/")),
    Refusal(what="is a PowerPoint presentation", hint=_AS_TEXT, looks_like=_has_part("ppt/")),
    Refusal(
        what="is a document of Apple's Numbers, Pages or Keynote",
        hint="Export it as CSV or plain text.",
        looks_like=_has_part("Index/"),
    ),
    Refusal(
        what="is an OpenDocument spreadsheet",
        hint=_AS_SHEET,
        looks_like=_is_mime(b"application/vnd.oasis.opendocument.spreadsheet"),
    ),
    Refusal(what="is an OpenDocument file", hint=_AS_TEXT, looks_like=_is_mime(b"application/vnd.oasis.opendocument")),
    Refusal(what="is an e-book (EPUB)", hint=_AS_TEXT, looks_like=_is_mime(b"application/epub+zip")),
)
"""Documents that are zip archives."""
_NOT_TEXTS = (
    *_DOCUMENTS,
    Refusal(what="is an archive inside another file", hint=_UNPACK, looks_like=starts_with((rb"PK\x03\x04",))),
    Refusal(
        what="is a table of Arrow or Feather",
        hint="Save it as Parquet or CSV.",
        looks_like=starts_with((rb"ARROW1\0\0",), (rb"FEA1\0\0\0\0",), (rb"\xff{4}.{3}\0",)),  # the last one: a stream
    ),
    Refusal(
        what="is a picture",
        hint="Tweets in a picture can't be read: give a CSV, JSON lines or text file.",
        looks_like=starts_with((rb"\x89PNG\r\n\x1a\n",), (rb"\xff\xd8\xff",), (rb"GIF8",)),
    ),
    Refusal(what="is a PDF document", hint=_AS_TEXT, looks_like=starts_with((rb"%PDF-",))),
    Refusal(what="is an RTF document", hint=_AS_TEXT, looks_like=starts_with((rb"\{\\rtf",))),
    Refusal(
        what="is a 7-Zip or RAR archive",
        hint=_UNPACK,
        looks_like=starts_with((rb"7z\xbc\xaf\x27\x1c",), (rb"Rar!\x1a\x07",)),
    ),
    Refusal(
        what="is an SQLite database",
        hint="Export the table with the tweets as CSV.",
        looks_like=starts_with((rb"SQLite format 3\0",)),
    ),
    Refusal(
        what="is an Office document in an old format (such as .xls) or with a password",
        hint="Save it in its program as CSV or plain text, without a password.",
        looks_like=starts_with((rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)),
    ),
    Refusal(
        what="is a program",
        hint="Give a CSV, JSON lines or text file.",
        looks_like=starts_with((rb"\x7fELF",), (rb"MZ\x90\0",), (rb"\xcf\xfa\xed\xfe",)),
    ),
)
REFUSED_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".arrow", ".feather")
"""Files in a folder or archive that are opened to be named in the report: people have their tweets in them."""


def refusal_as_text(head: bytes) -> Refusal | None:
    """Return why a file with these first bytes is no text file."""
    found = next((each for each in _NOT_TEXTS if each.looks_like(head)), None)
    if found is None and len(head.translate(None, _CONTROLS)) < (1 - _MAX_CONTROL_SHARE) * len(head):
        return NOT_TEXT
    return found


def may_be_document(head: bytes) -> bool:
    """Return whether a zip archive with these first bytes may be a document: see `is_document`."""
    return any(each.looks_like(head) for each in _DOCUMENTS)


def is_document(names: Iterable[str]) -> bool:
    """Return whether a zip archive with files of these names is a document, not an archive with such folders."""
    return not {"[Content_Types].xml", "mimetype", "Index/Document.iwa"}.isdisjoint(names)
