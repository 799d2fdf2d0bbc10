"""gzip, bzip2 and xz, recognised by their first bytes; whatever unpacks is read through one layer that counts it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import IO

from engine.corpus.files.byte_stream import ByteStream, buffered
from engine.errors import CorpusError

MAX_UNPACKED_BYTES = 64 << 30
"""What may come out of one named file, all its members together."""
MAX_RATIO = 50
"""How many times its packed size a named file may unpack to: text reaches about 20."""
ALWAYS_ALLOWED_BYTES = 16 << 20
"""Below this the ratio does not matter: a small file that repeats itself is no bomb."""
MAX_LAYERS = 3
UNPACKING_ERRORS = (
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    RuntimeError,
    MemoryError,  # an xz file may ask for 4 GB
)
"""What the standard library raises on damaged archives."""


class UnpackLimit:
    """What may still come out of one named file; guards against archives made to fill memory or never to end."""

    def __init__(self, name: str, packed_bytes: int) -> None:
        """Begin with nothing unpacked of a file with `packed_bytes` on disk."""
        self._name = name
        self._limit = min(MAX_UNPACKED_BYTES, max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * packed_bytes))
        self._reached: dict[tuple[int, int], int] = {}
        self._total = 0

    def count(self, stream: tuple[int, int], position: int) -> None:
        """Count the bytes of a stream (member, layer) before `position`, once however often it is read.

        Raises `CorpusError` beyond the limit.
        """
        more = position - self._reached.get(stream, 0)
        if more > 0:
            self._reached[stream] = position
            self._total += more
        if self._total > self._limit:
            raise CorpusError(
                f"{self._name} unpacks to far more than its size lets expect (over {self._limit >> 20:,} MB).",
                "It may be made to do harm. If you trust it, unpack it yourself and name the file in it.",
            )


def damaged(name: str, what: str) -> CorpusError:
    """Return the error of a file whose packed data do not add up."""
    return CorpusError(f"{name} is damaged: {what}.", "Download or copy it again.")


_PACKINGS: tuple[tuple[str, tuple[bytes, ...], Callable[[io.BufferedReader], io.BufferedIOBase]], ...] = (
    ("gzip", (b"\x1f\x8b\x08",), lambda file: gzip.GzipFile(fileobj=file)),
    (
        "bzip2",
        tuple(b"BZh%d" % level + block for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90")),
        bz2.BZ2File,
    ),
    ("xz", (b"\xfd7zXZ\x00",), lzma.LZMAFile),
)
"""What a packing is called, how such a stream begins, and what unpacks it."""


class Unpacked(ByteStream):
    """What the standard library unpacks, counted against a limit, its errors turned into `CorpusError`."""

    def __init__(
        self,
        files: tuple[io.BufferedIOBase | IO[bytes], ...],
        kind: str,
        name: str,
        limit: UnpackLimit,
        stream: tuple[int, int],
    ) -> None:
        """Read the first of `files`, and close all of them; the limit counts it as `stream`."""
        self._files, self._kind, self._name = files, kind, name
        self._limit, self._stream = limit, stream
        self._position = 0

    def next_bytes(self, max_bytes: int) -> bytes:
        """Unpack some bytes. Raises `CorpusError` where the data are damaged, cut off or a bomb."""
        try:
            data = self._files[0].read(max_bytes)
        except EOFError as error:
            raise damaged(self._name, f"its {self._kind} data are cut off") from error
        except UNPACKING_ERRORS as error:
            raise damaged(self._name, f"its {self._kind} data do not add up") from error
        self._position += len(data)
        self._limit.count(self._stream, self._position)
        return data

    def close(self) -> None:
        """Close it and what it reads from."""
        for file in self._files:
            file.close()
        super().close()


def unpacked(file: io.BufferedReader, name: str, limit: UnpackLimit, member: int = 0) -> io.BufferedReader:
    """Return the file with all its compression layers removed, or itself if it has none. Raises `CorpusError`.

    `member` tells members of an archive apart, which may have the same name.
    """
    for layer in range(MAX_LAYERS + 1):
        head = file.peek(16)
        found = next(((kind, unpack) for kind, magic, unpack in _PACKINGS if head.startswith(magic)), None)
        if found is None:
            return file
        kind, unpack = found
        file = buffered(Unpacked((unpack(file), file), kind, name, limit, (member, layer)))
    file.close()
    raise CorpusError(f"{name} is packed more than {MAX_LAYERS} times over.", "Unpack it and name the file in it.")
