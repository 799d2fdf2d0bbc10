"""Parses the XML parts of an Excel workbook (ECMA-376, Office Open XML) as streams, within limits.

Names are compared without their namespaces, which differ between transitional and strict workbooks. A part with a
document type, which may define entities without end, is invalid: the format has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO
from xml.parsers import expat

MAX_TAG_BYTES = 4 << 20
"""Limit of a tag with its attributes, which `expat` stores until it is complete."""
MAX_CELL_CHARS = 128_000
"""Text is cut here; Excel has at most 32,767 characters in a cell, and no tweet is as long."""

_CHUNK_BYTES = 1 << 14
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")

Attributes = dict[str, str]


class InvalidPartError(Exception):
    """A part is not valid."""


class PartParser:
    """Parses a part; a subclass implements `start` and `end`."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._buffer: list[str] = []
        self._num_chars = 0

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Handle the start of an element."""

    def end(self, name: str, text: str, /) -> None:
        """Handle the end of an element; `text` is what follows the last tag in it."""

    def parse(self, part: IO[bytes]) -> Iterator[int]:
        """Parse a part, yielding after each chunk the number of bytes read. Raises `InvalidPartError`."""
        num_bytes = 0
        try:
            while chunk := part.read(_CHUNK_BYTES):
                num_bytes += len(chunk)
                self._parser.Parse(chunk)
                if num_bytes - self._parser.CurrentByteIndex > MAX_TAG_BYTES:
                    raise InvalidPartError("a tag is too long")
                yield num_bytes
            self._parser.Parse(b"", True)  # noqa: FBT003  # takes no keyword
        except (expat.ExpatError, ValueError) as error:  # ValueError: a number that is none, an unknown encoding
            raise InvalidPartError(str(error)) from error

    def parse_all(self, part: IO[bytes]) -> None:
        """Parse a part to its end. Raises `InvalidPartError`."""
        for _ in self.parse(part):
            pass

    def _start(self, name: str, attributes: Attributes) -> None:
        self._buffer.clear()
        self._num_chars = 0
        self.start(name.rpartition(" ")[2], attributes)

    def _end(self, name: str) -> None:
        text = "".join(self._buffer) if self._buffer else ""
        self._buffer.clear()
        self.end(name.rpartition(" ")[2], text)

    def _characters(self, text: str) -> None:
        if self._num_chars < MAX_CELL_CHARS:
            self._num_chars += len(text)
            self._buffer.append(text)

    def _refuse(self, *_: object) -> None:
        raise InvalidPartError("it has a document type")


class Relationships(PartParser):
    """The targets of a part's relationships."""

    def __init__(self) -> None:
        super().__init__()
        self.by_id: dict[str, tuple[str, str]] = {}
        """The last word of the type ("worksheet"), and the target."""

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Add a relationship."""
        if name == "Relationship":
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.by_id[attributes.get("Id", "")] = (kind, attributes.get("Target", ""))

    def target(self, kind: str) -> str | None:
        """Return the target of the first relationship of a type."""
        return next((target for each, target in self.by_id.values() if each == kind), None)


class WorkbookPart(PartParser):
    """The sheets of a workbook and its calendar."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[tuple[str, str]] = []
        """Name and relationship of the visible sheets, in their order."""
        self.is_1904 = False
        """Whether dates count from 1904, as in old workbooks of Macs."""

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Add a sheet, or set the calendar."""
        if name == "sheet" and attributes.get("state", "visible") == "visible":
            relationship = next((value for key, value in attributes.items() if key.endswith(" id")), "")
            self.sheets.append((attributes.get("name", ""), relationship))
        elif name == "workbookPr":
            self.is_1904 = attributes.get("date1904", "0") in {"1", "true"}


class SharedStrings(PartParser):
    """The table of texts to which cells refer by their index."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._pieces: list[str] = []
        self._is_phonetic = False

    def start(self, name: str, _attributes: Attributes, /) -> None:
        """Ignore the pronunciation of a Japanese text, which is a text inside it."""
        self._is_phonetic = self._is_phonetic or name == "rPh"

    def end(self, name: str, text: str, /) -> None:
        """Collect the pieces of a text, which has several if it is formatted."""
        if name == "t" and not self._is_phonetic:
            self._pieces.append(text)
        elif name == "rPh":
            self._is_phonetic = False
        elif name == "si":
            self.texts.append(unescaped("".join(self._pieces)))
            self._pieces.clear()


def unescaped(text: str) -> str:
    """Return a text without the format's escapes of control characters, such as _x000D_."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
