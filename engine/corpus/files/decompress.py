"""Decompresses gzip, bzip2, xz and zstd, detected by their first bytes, within a `DecompressionLimit`."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from typing import IO

from engine.corpus.files.byte_stream import ByteStream, buffered
from engine.errors import CorpusError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_DECOMPRESSED_BYTES = 64 << 30
"""Limit of the decompressed bytes of one file, all its members together."""
MAX_RATIO = 200
"""Limit of the compression ratio of one file: text reaches 20, and indented JSON of an API 100; bombs begin at 500."""
ALWAYS_ALLOWED_BYTES = 16 << 20
"""Up to this size the ratio does not matter: a small repetitive file is not a bomb."""
MAX_LAYERS = 3
_ZSTD_WINDOW_LOG = 31
"""The format's largest window, 2 GB; memory is allocated as far as the data fill it."""
DECOMPRESSION_ERRORS = (
    zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    zipfile.BadZipFile,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    RuntimeError,
    MemoryError,  # an xz file may ask for 4 GB
)
"""The exceptions of the standard library on damaged archives."""


class DecompressionLimit:
    """Limits the decompressed bytes of one file: protects against decompression bombs."""

    def __init__(self, name: str, packed_bytes: int) -> None:
        """`packed_bytes` is the size on disk of the file `name`."""
        self._name, self._packed_bytes = name, packed_bytes
        self._reached: dict[tuple[int, int], int] = {}
        self._total = 0

    def count(self, stream: tuple[int, int], position: int) -> None:
        """Count the bytes of `stream` (member, layer) up to `position`; bytes read repeatedly count once.

        Raises `CorpusError` above the limit.
        """
        more = position - self._reached.get(stream, 0)
        if more > 0:
            self._reached[stream] = position
            self._total += more
        if self._total > MAX_DECOMPRESSED_BYTES:
            raise CorpusError(
                f"{self._name} decompresses to over {MAX_DECOMPRESSED_BYTES >> 30} GB, too much to be read.",
                "Extract a part of it and give that.",
            )
        self.check_ratio(self._total, self._packed_bytes)

    def check_ratio(self, num_bytes: int, packed_bytes: int) -> None:
        """Raise `CorpusError` if so many bytes are more than `packed_bytes` of compressed text decompress to."""
        limit = max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * packed_bytes)
        if num_bytes > limit:
            raise CorpusError(
                f"{self._name} decompresses to over {limit >> 20:,} MB, far more than its size suggests.",
                "It may be a decompression bomb. If you trust it, extract it and give the file in it.",
            )


def damaged(name: str, what: str) -> CorpusError:
    """Return the error of a damaged archive or compressed file; `what` is a clause."""
    return CorpusError(f"{name} is damaged: {what}.", "Download or copy it again.")


_COMPRESSIONS: tuple[tuple[str, tuple[bytes, ...], Callable[[io.BufferedReader], io.BufferedIOBase]], ...] = (
    ("gzip", (b"\x1f\x8b\x08",), lambda file: gzip.GzipFile(fileobj=file)),
    (
        "bzip2",
        tuple(b"BZh%d" % level + block for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90")),
        bz2.BZ2File,
    ),
    ("xz", (b"\xfd7zXZ\x00",), lzma.LZMAFile),
    (
        "zstd",
        (b"\x28\xb5\x2f\xfd", *(bytes([skippable]) + b"\x2a\x4d\x18" for skippable in range(0x50, 0x60))),
        lambda file: zstd.ZstdFile(file, options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}),
    ),
)
"""Name, first bytes and decompressor of each compression."""


class DecompressedStream(ByteStream):
    """A decompressed stream of the standard library, counted against a limit, with errors as `CorpusError`."""

    def __init__(
        self,
        files: tuple[io.BufferedIOBase | IO[bytes], ...],
        kind: str,
        name: str,
        limit: DecompressionLimit,
        stream: tuple[int, int],
        source: io.BufferedReader | None = None,
    ) -> None:
        """Read the first of `files` and close all of them; `stream` identifies it to the limit.

        The bytes are limited by those read of `source`, too, so that a bomb is found by its first part.
        """
        self._files, self._kind, self._name = files, kind, name
        self._limit, self._stream, self._source = limit, stream, source
        self._unpacked_bytes = self._packed_bytes = 0
        self.is_used = True
        """Whether what is decompressed now counts for the ratio: not what is only skipped."""

    def next_bytes(self, max_bytes: int) -> bytes:
        """Decompress some bytes. Raises `CorpusError` if the data are damaged, truncated or over the limit."""
        source_position = self._source.tell() if self._source is not None else 0
        try:
            data = self._files[0].read(max_bytes)
        except EOFError as error:
            raise damaged(self._name, f"its {self._kind} data are truncated") from error
        except DECOMPRESSION_ERRORS as error:
            if isinstance(error, MemoryError) or "memory" in str(error):  # zstd's word for its window
                what = f"{self._name} needs more memory to be decompressed than there is."
                raise CorpusError(what, "Extract it elsewhere and give the file in it.") from error
            raise damaged(self._name, f"its {self._kind} data are corrupt") from error
        self._limit.count(self._stream, self.num_bytes + len(data))
        if self._source is not None and self.is_used:
            self._unpacked_bytes += len(data)
            self._packed_bytes += self._source.tell() - source_position
            self._limit.check_ratio(self._unpacked_bytes, self._packed_bytes)
        return data

    def close(self) -> None:
        """Close the stream and the files below it."""
        for file in self._files:
            file.close()
        super().close()


def decompressed(file: io.BufferedReader, name: str, limit: DecompressionLimit, member: int = 0) -> io.BufferedReader:
    """Return the file without its compression layers, or itself if it has none. Raises `CorpusError`.

    `member` is unique within an archive, where names may not be.
    """
    source = file
    for layer in range(MAX_LAYERS + 1):
        head = file.peek(16)
        found = next(((kind, unpack) for kind, magic, unpack in _COMPRESSIONS if head.startswith(magic)), None)
        if found is None:
            return file
        kind, unpack = found
        file = buffered(DecompressedStream((unpack(file), file), kind, name, limit, (member, layer), source))
    file.close()
    raise CorpusError(f"{name} is compressed more than {MAX_LAYERS} times.", "Decompress it and give the file in it.")
