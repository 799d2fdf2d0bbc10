"""Office documents, which are zip archives: recognised by the names of their parts, and not read as archives.

Never unpacks anything.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import NamedTuple

_LOCAL_HEADER = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
_AS_TEXT = "Save its text as a plain text file with one tweet per line."
_AS_SHEET = "Save the sheet with the tweets as .xlsx or CSV."


class Document(NamedTuple):
    """A kind of document."""

    what: str
    """Its name, after "is"."""
    hint: str
    """What to do with one that can't be read."""
    part: str
    """The start of the names of its parts, or the content of the part `mimetype`."""


EXCEL = Document("an Excel workbook", "Omit --format, or save the sheet with the tweets as CSV.", "xl/")
_BINARY_EXCEL = Document("a binary Excel workbook (.xlsb)", _AS_SHEET, "xl/workbook.bin")
_DOCUMENTS = (
    _BINARY_EXCEL,
    EXCEL,
    Document("a Word document", _AS_TEXT, "word/"),
    Document("a PowerPoint presentation", _AS_TEXT, "ppt/"),
    Document("a document of Apple's Numbers, Pages or Keynote", "Export it as CSV or plain text.", "Index/"),
)
_MIME_DOCUMENTS = (
    Document("an OpenDocument spreadsheet", _AS_SHEET, "application/vnd.oasis.opendocument.spreadsheet"),
    Document("an OpenDocument text", _AS_TEXT, "application/vnd.oasis.opendocument.text"),
    Document("an OpenDocument file", _AS_TEXT, "application/vnd.oasis.opendocument"),
    Document("an e-book (EPUB)", _AS_TEXT, "application/epub+zip"),
)


def document_of(head: bytes) -> Document | None:
    """Return the kind of document with these first bytes, by its first parts; None for other files.

    An archive with a folder of the same name looks the same: see `is_document`.
    """
    first, *_ = names = _names_in(head) or [""]
    if first == "mimetype":
        return next((each for each in _MIME_DOCUMENTS if head.startswith(b"mimetype" + each.part.encode(), 30)), None)
    return next((each for each in _DOCUMENTS if any(name.startswith(each.part) for name in names)), None)


def is_document(names: Iterable[str]) -> bool:
    """Return whether an archive with files of these names is a document."""
    return not {"[Content_Types].xml", "mimetype", "Index/Document.iwa"}.isdisjoint(names)


def _names_in(head: bytes) -> list[str]:
    """Return the names in the local headers of a zip archive."""
    if not head.startswith(b"PK\x03\x04"):
        return []
    return [
        head[found.end() : found.end() + struct.unpack("<H", found[1])[0]].decode(errors="replace")
        for found in _LOCAL_HEADER.finditer(head)
    ]
