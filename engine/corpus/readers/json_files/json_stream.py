"""`JsonStream`: JSON decoded one value at a time from a file of any size.

The one idea: a window on the file, in which the standard library's decoder takes what comes next; what is behind is
forgotten. Never holds more than one value and a block. `ijson` 3.6 was tried first: its fast backend ends the process
at a number of more than 4,300 digits, 20,000 brackets cost it 1 GB, and one wrong byte all that follows.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from engine.corpus.readers.json_files.json_values import DECODER
from engine.errors import CorpusError

MAX_VALUE_CHARS = 8 << 20
"""A value longer than this is no post: real ones stay under a hundredth of it."""

_BLOCK_BYTES = 256 << 10
_MAX_KEY_DEPTH = 8
_BLANKS = re.compile(r"[ \t\r\n]*")
_ESCAPED_BYTES = re.compile("[\udc80-\udcff]")
_AS_WINDOWS_1252 = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}


class JsonStream:
    """A window on a file of JSON. Bytes that are no UTF-8 are read as Windows-1252 each."""

    def __init__(self, file: BinaryIO, name: str, head: bytes = b"") -> None:
        """Begin at the beginning; `head` is what was already read of the file, `name` the file's in messages."""
        self._file = file
        self._name = name
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._is_at_end = False
        self._position = 0
        self._num_lines_behind = 0
        self._num_chars_behind = 0
        self.num_windows_chars = 0
        """Characters that were no UTF-8 so far."""
        self._text = self._decoded(head)

    def peek(self) -> str:
        """Return the next character that is no blank, which is where the window then begins; "" at the end."""
        while True:
            blanks = _BLANKS.match(self._text, self._position)
            self._position = blanks.end() if blanks else self._position
            if self._position < len(self._text):
                return self._text[self._position]
            if self._is_at_end:
                return ""
            self._read_on()

    def beginning(self) -> str:
        """Return what is in the window, from the next character that is no blank."""
        self.peek()
        return self._text[self._position :]

    def skip(self, num_chars: int) -> None:
        """Go on by as many characters of the window."""
        self._position += num_chars

    def value(self) -> object:
        """Return the value that comes next. Raises `CorpusError` where that is none, or too large or deep a one."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._position)
            except RecursionError as error:
                raise self._broken("nested too deeply", self._position) from error
            except json.JSONDecodeError as error:
                if self._is_at_end:
                    raise self._broken(error.msg, error.pos) from error
            else:
                if end < len(self._text) or self._is_at_end:  # or a number might go on
                    self._position = end
                    return value
            self._read_on_within_bounds()

    def whole(self) -> object:
        """Return the value that comes next without going on; None where the file is too long to hold, or is broken."""
        self.peek()
        while not self._is_at_end:
            if len(self._text) - self._position > MAX_VALUE_CHARS:
                return None
            self._read_on()
        try:
            value: object = DECODER.raw_decode(self._text, self._position)[0]
        except (ValueError, RecursionError):
            return None
        return value

    def line(self) -> str | None:
        """Return the line that comes next, without its end; None at the end of the file."""
        while (end := self._text.find("\n", self._position)) < 0 and not self._is_at_end:
            self._read_on_within_bounds()
        end = len(self._text) if end < 0 else end
        if self._is_at_end and self._position >= len(self._text):
            return None
        start, self._position = self._position, end + 1
        return self._text[start:end].rstrip("\r")

    def items(self) -> Iterator[object]:
        """Yield the items of the array that comes next. Raises `CorpusError` where it breaks off."""
        self._take("[")
        if self.peek() == "]":
            self._take("]")
            return
        while True:
            yield self.value()
            if self._take(",]") == "]":
                return

    def arrays(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Iterator[object]]]:
        """Yield each array of the value that comes next, however deep in objects, with its path and its items.

        Those inside an array are part of its items; items that the caller does not take are skipped.
        """
        opening = self.peek()
        if opening == "[":
            items = self.items()
            yield path, items
            for _ in items:
                pass
        elif opening == "{" and len(path) < _MAX_KEY_DEPTH:
            for key in self._keys():
                yield from self.arrays((*path, key))
        else:
            self.value()

    def expect_end(self) -> None:
        """Raise `CorpusError` where something follows."""
        if self.peek():
            raise self._broken("something follows its end", self._position)

    def _keys(self) -> Iterator[str]:
        """Yield the keys of the object that comes next; the caller takes each one's value."""
        self._take("{")
        if self.peek() == "}":
            self._take("}")
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise self._broken("a key has to be a text", self._position)
            self._take(":")
            yield key
            if self._take(",}") == "}":
                return

    def _take(self, wanted: str) -> str:
        """Go over the next character, which has to be one of these."""
        char = self.peek()
        if not char or char not in wanted:
            found = "the file ends" if not char else f"{char} stands"
            raise self._broken(f"{found} where {' or '.join(wanted)} should", self._position)
        self._position += 1
        return char

    def _read_on_within_bounds(self) -> None:
        """Read on, unless what comes next is already too long to be a post."""
        if len(self._text) - self._position > MAX_VALUE_CHARS:
            raise CorpusError(
                f"{self._name} holds one value of over {MAX_VALUE_CHARS >> 20} million characters "
                f"or breaks off, {self._place(self._position)}.",
                "It should be an array with one object or string per tweet; look for a missing quotation mark.",
            )
        self._read_on()

    def _read_on(self) -> None:
        """Forget what is behind, and read as much again as is ahead, so that no value is decoded often."""
        size = max(_BLOCK_BYTES, len(self._text) - self._position)
        data = bytearray()
        while len(data) < size and (block := self._file.read(size - len(data))):
            data += block
        self._is_at_end = len(data) < size
        self._num_lines_behind += self._text.count("\n", 0, self._position)
        self._num_chars_behind += self._position
        self._text = self._text[self._position :] + self._decoded(bytes(data))
        self._position = 0

    def _decoded(self, data: bytes) -> str:
        """Return the next bytes of the file as text."""
        text = self._utf8.decode(data, final=self._is_at_end)
        if not text.isascii() and (escaped := _ESCAPED_BYTES.findall(text)):
            self.num_windows_chars += len(escaped)
            return text.translate(_AS_WINDOWS_1252)
        return text

    def _broken(self, problem: str, position: int) -> CorpusError:
        """Return the error of a file that is no JSON at a position of the window."""
        return CorpusError(
            f"{self._name} is not valid JSON {self._place(position)}: {problem}.",
            "It may be cut short or damaged: fetch it again, or repair that place.",
        )

    def _place(self, position: int) -> str:
        """Return where a position of the window is in the file, for a message."""
        line = self._num_lines_behind + self._text.count("\n", 0, position) + 1
        return f"near line {line:,} (character {self._num_chars_behind + position + 1:,})"
