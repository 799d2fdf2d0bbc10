"""Converts UTF-16 and UTF-32 with a byte order mark, common on Windows, to UTF-8 as they are read."""

from __future__ import annotations

import codecs
import io
from typing import BinaryIO

from engine.corpus.files.byte_stream import ByteStream, buffered

_CHUNK_BYTES = 1 << 16
_MARKS = (  # the longer first: UTF-32 LE begins like UTF-16 LE
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class _Transcoder(ByteStream):
    """A stream converted to UTF-8; invalid bytes become U+FFFD, which cleaning counts."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        self.encoding = encoding.upper()
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._ready = b""

    def next_bytes(self, max_bytes: int) -> bytes:
        is_last = False
        while not self._ready and not is_last:
            data = self._file.read(_CHUNK_BYTES)
            is_last = not data
            self._ready = self._decoder.decode(data, final=is_last).encode("utf-8", "replace")
        data, self._ready = self._ready[:max_bytes], self._ready[max_bytes:]
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


def to_utf8(file: io.BufferedReader) -> io.BufferedReader:
    """Return the file converted to UTF-8 if it starts with the mark of UTF-16 or UTF-32, else itself."""
    head = file.peek(4)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return buffered(_Transcoder(file, encoding))
    return file


def encoding_of(file: BinaryIO) -> str:
    """Return the original encoding of a file from `to_utf8`: "UTF-16", "UTF-32", or "" if it was not converted."""
    raw = getattr(file, "raw", None)
    return raw.encoding if isinstance(raw, _Transcoder) else ""
