"""`BoundedArchive`: the zip archive of an Excel workbook, as `openpyxl` reads it, within limits.

The library builds up to 130 bytes of objects from each byte of XML, and frees them only after a row. So a small part is
limited by its size, a part that is streamed by the bytes between two rows and by the memory of the process.
"""

from __future__ import annotations

import io
import re
from typing import IO, BinaryIO, cast

from engine.corpus.files.decompress import ALWAYS_ALLOWED_BYTES, DecompressionLimit
from engine.corpus.files.zips import open_zip
from engine.corpus.types import Source
from engine.errors import CorpusError

MAX_UNPACKED_BYTES = 1 << 30
"""Limit of the size of all parts; a million tweets take about 450 MB."""
MAX_MEMORY_BYTES = 512 << 20
"""Limit of the memory by which the process grows while a part is streamed; 300,000 tweets take 200 MB."""
MAX_TREE_BYTES = 4 << 20
"""Limit of a row, and of a part that isn't a sheet or the table of texts: each is loaded as a tree of objects."""
MAX_LINKS_BYTES = 16 << 20
"""Limit of the list of a sheet's links: Excel allows 65,530, which take 13 MB."""
_BOUNDARY = re.compile(rb"</?(?:\w+:)?(?:row|si)[ />]")
"""Start or end of a row, or of an entry of the table of texts."""
_MAX_PASSES = 4
"""The library reads a sheet once for its size, the reader once for a sample and once for the rows."""


class BoundedArchive:
    """Has those methods of `zipfile.ZipFile` that the library calls on a workbook that it only reads."""

    def __init__(self, file: BinaryIO, source: Source) -> None:
        """Open the archive of a seekable file. Raises `CorpusError` if it is damaged or unpacks to too much."""
        import psutil  # costs start-up time

        self.file = file
        self.filename = source.name
        limit = DecompressionLimit(source.name, file.seek(0, io.SEEK_END))
        raw = cast("io.RawIOBase", file)  # has the methods that `BufferedReader` needs
        self._zip = open_zip(source.name, lambda: io.BufferedReader(raw))
        unpacked_bytes = sum(info.file_size for info in self._zip.infolist())
        limit.count((0, 0), unpacked_bytes)
        if unpacked_bytes > MAX_UNPACKED_BYTES:
            raise self.too_large()
        self._bytes_left = _MAX_PASSES * max(unpacked_bytes, ALWAYS_ALLOWED_BYTES)
        self._process = psutil.Process()
        self._max_memory = self._process.memory_info().rss + MAX_MEMORY_BYTES
        self._part: _Part | None = None

    @property
    def share_read(self) -> float:
        """Share of the part opened last that has been read."""
        return self._part.share_read if self._part else 1.0

    def namelist(self) -> list[str]:
        """Return the names of the parts."""
        return self._zip.namelist()

    def open(self, name: str, _mode: str = "r") -> _Part:
        """Open a part to be streamed."""
        self._part = _Part(self, self._zip.open(name), name, self._zip.getinfo(name).file_size)
        return self._part

    def read(self, name: str) -> bytes:
        """Return a small part. Raises `CorpusError` if it is not small."""
        with self.open(name) as part:
            return part.read()

    def count(self, num_bytes: int) -> None:
        """Count bytes that were read. Raises `CorpusError` above the limits."""
        self._bytes_left -= num_bytes
        if self._bytes_left < 0 or self._process.memory_info().rss > self._max_memory:
            raise self.too_large()

    def too_large(self) -> CorpusError:
        """Return the error of a workbook above a limit."""
        return CorpusError(
            f"{self.filename} is too large or too complex to be read as an Excel workbook.",
            "Open it in Excel and save the sheet with the tweets as CSV.",
        )


class _Part(io.BufferedIOBase):
    """A part as a stream."""

    def __init__(self, archive: BoundedArchive, part: IO[bytes], name: str, size: int) -> None:
        self._archive, self._part, self._size = archive, part, size
        self._max_tree_bytes = MAX_LINKS_BYTES if name.endswith(".rels") else MAX_TREE_BYTES
        self._num_read = self._row_start = 0

    @property
    def share_read(self) -> float:
        """Share of the part that has been read."""
        return self._num_read / self._size if self._size else 1.0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return some bytes, or all. Raises `CorpusError` above the limits."""
        is_streamed = size is not None and size >= 0
        if not is_streamed and self._size > self._max_tree_bytes:
            raise self._archive.too_large()
        data = self._part.read(size if size is not None else -1)
        self._num_read += len(data)
        if _BOUNDARY.search(data):
            self._row_start = self._num_read
        if is_streamed and self._num_read - self._row_start > self._max_tree_bytes:
            raise self._archive.too_large()
        self._archive.count(len(data))
        return data

    def close(self) -> None:
        """Close the part."""
        self._part.close()
        super().close()
