"""`JsonWindow`: the part of a JSON file that is in memory, decoded, with the position up to which it was read.

The window never contains more than one value and a block.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import BinaryIO

from engine.corpus.readers.json_files.json_values import DECODER
from engine.errors import CorpusError

MAX_VALUE_CHARS = 8 << 20
"""Limit of one value; a page of 500 posts with all they refer to has about 5 MB."""

_BLOCK_BYTES = 256 << 10
_BLANKS = re.compile(r"[ \t\r\n]*")
_ESCAPED_BYTES = re.compile("[\udc80-\udcff]")
_AS_WINDOWS_1252 = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}


class JsonWindow:
    """A file that is read once. Bytes that are not UTF-8 are decoded as Windows-1252, one by one."""

    def __init__(self, file: BinaryIO, name: str, head: bytes = b"") -> None:
        """`head` is the part of the file that was already read, `name` the file's name in messages."""
        self._file = file
        self._name = name
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._is_at_end = False
        self._position = 0
        self._num_lines_consumed = 0
        self._num_chars_consumed = 0
        self.hint = "It may be truncated or damaged: download it again, or fix that line."
        """The hint of an error of invalid JSON."""
        self.num_windows_chars = 0
        """Characters decoded as Windows-1252 so far."""
        self._text = self._decoded(head)

    def peek(self) -> str:
        """Skip white space and return the next character without consuming it; "" at the end."""
        while True:
            blanks = _BLANKS.match(self._text, self._position)
            self._position = blanks.end() if blanks else self._position
            if self._position < len(self._text):
                return self._text[self._position]
            if self._is_at_end:
                return ""
            self._read_on()

    def beginning(self) -> str:
        """Return the content of the window after white space."""
        self.peek()
        return self._text[self._position :]

    def skip(self, num_chars: int) -> None:
        """Consume characters of the window."""
        self._position += num_chars

    @property
    def num_chars(self) -> int:
        """Characters consumed so far."""
        return self._num_chars_consumed + self._position

    def line(self) -> str | None:
        """Consume and return the next line without its end; None at the end of the file."""
        while (end := self._text.find("\n", self._position)) < 0 and not self._is_at_end:
            self._read_on_within_bounds()
        end = len(self._text) if end < 0 else end
        if self._is_at_end and self._position >= len(self._text):
            return None
        start, self._position = self._position, end + 1
        return self._text[start:end].rstrip("\r")

    def value(self) -> object:
        """Consume and return the next value. Raises `CorpusError` if it is invalid, too large or too deep."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._position)
            except RecursionError as error:
                raise self._broken("nested too deeply", self._position) from error
            except json.JSONDecodeError as error:
                if self._is_at_end:
                    raise self._broken(error.msg.removesuffix(" at"), error.pos) from error
            else:
                if end < len(self._text) or self._is_at_end:  # else a number might continue
                    self._position = end
                    return value
            self._read_on_within_bounds()

    def first(self) -> tuple[object, bool]:
        """Return the next value without consuming it, and whether it is the only one.

        The value is None if it is invalid or too long: `MAX_VALUE_CHARS` if it is the only one, else a part of it.
        """
        for max_chars in (_BLOCK_BYTES, MAX_VALUE_CHARS // 4, MAX_VALUE_CHARS):
            self._extend(max_chars)
            if max_chars == MAX_VALUE_CHARS and not self._is_at_end:
                break
            value, end = self._ahead()
            is_last = not self._text[end:].strip(" \t\r\n")
            if end and (not is_last or self._is_at_end):
                return value, is_last
        return None, True

    def _extend(self, num_chars: int) -> None:
        """Read on until the window has more than `num_chars` ahead, or the rest of the file."""
        self.peek()
        while not self._is_at_end and len(self._text) - self._position <= num_chars:
            self._read_on()

    def _ahead(self) -> tuple[object, int]:
        """Return the value ahead in the window and the position of its end; 0 if it is invalid or cut off."""
        try:
            value, end = DECODER.raw_decode(self._text, self._position)
        except (ValueError, RecursionError):
            return None, 0
        return value, end

    def _read_on_within_bounds(self) -> None:
        """Read more. Raises `CorpusError` if the next value exceeds `MAX_VALUE_CHARS`."""
        if len(self._text) - self._position > MAX_VALUE_CHARS:
            raise CorpusError(
                f"{self._name} has a value of over {MAX_VALUE_CHARS >> 20} million characters "
                f"or is truncated, {self._place(self._position)}.",
                "It must be an array with one object or string per tweet; look for a missing quotation mark.",
            )
        self._read_on()

    def _read_on(self) -> None:
        """Drop the consumed text, and at least double the rest, so that no value is decoded many times."""
        size = max(_BLOCK_BYTES, len(self._text) - self._position)
        data = bytearray()
        while len(data) < size and (block := self._file.read(size - len(data))):
            data += block
        self._is_at_end = len(data) < size
        self._num_lines_consumed += self._text.count("\n", 0, self._position)
        self._num_chars_consumed += self._position
        self._text = self._text[self._position :] + self._decoded(bytes(data))
        self._position = 0

    def _decoded(self, data: bytes) -> str:
        """Decode the next bytes of the file."""
        text = self._utf8.decode(data, final=self._is_at_end)
        if not text.isascii() and (escaped := _ESCAPED_BYTES.findall(text)):
            self.num_windows_chars += len(escaped)
            return text.translate(_AS_WINDOWS_1252)
        return text

    def _broken(self, problem: str, position: int) -> CorpusError:
        """Return the error of invalid JSON at a position of the window."""
        return CorpusError(
            f"{self._name} is not valid JSON {self._place(position)}: {problem}.",
            self.hint,
        )

    def _place(self, position: int) -> str:
        """Return the line and character of a position of the window, for a message."""
        line = self._num_lines_consumed + self._text.count("\n", 0, position) + 1
        return f"near line {line:,} (character {self._num_chars_consumed + position + 1:,})"
