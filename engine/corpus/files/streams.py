"""`Member`, a readable file, and its layers when it is open: the bytes on disk, and what is decompressed of them.

A regular file is an error if it changes while it is read. Never opens anything else: a device may never end, and a pipe
can be read only once.
"""

from __future__ import annotations

import abc
import bz2
import contextlib
import errno
import gzip
import io
import lzma
import os
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from engine.errors import CorpusError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd
if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEAD_BYTES = 65_536
"""First bytes of a file by which its format is detected."""
BUFFER_BYTES = 1 << 18


@dataclass(frozen=True)
class Member:
    """A readable file, on disk or inside an archive; decompressed while it is read, never extracted to disk."""

    name: str
    """Its path with slashes inside the folder or archive; for a single file, the file's name."""
    open: Callable[[], BinaryIO]
    """Opens it at its first byte; may be called repeatedly. Raises `CorpusError`."""
    raw_bytes: int = 0
    """Approximate bytes on disk, compressed: for an archive, the member's share."""
    encoding: str = ""
    """The encoding from which it is converted to UTF-8 when it is read; "" if it is not converted."""

    def head(self) -> bytes:
        """Return the first `HEAD_BYTES` bytes. Raises `CorpusError`."""
        with contextlib.closing(self.open()) as file:
            return file.read(HEAD_BYTES)


class ByteStream(io.RawIOBase, abc.ABC):
    """A layer that is read sequentially; a subclass implements only `next_bytes`."""

    num_bytes = 0
    """Bytes that were read from it."""

    @abc.abstractmethod
    def next_bytes(self, max_bytes: int) -> bytes:
        """Return 1 to `max_bytes` bytes; b"" at the end."""

    def tell(self) -> int:
        """Return the number of bytes that were read."""
        return self.num_bytes

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer` as far as one call of `next_bytes` goes; for `io.BufferedReader`."""
        view = memoryview(buffer).cast("B")
        data = self.next_bytes(len(view)) if len(view) else b""
        view[: len(data)] = data
        self.num_bytes += len(data)
        return len(data)


def buffered(stream: ByteStream) -> io.BufferedReader:
    """Return the stream with a buffer, `peek` and `readline`."""
    return io.BufferedReader(stream, BUFFER_BYTES)


# On disk --------------------------------------------------------------------------------------------------------------


class ReadProgress:
    """Counts the raw bytes read from disk, part by part, against the total.

    Bytes read outside a part (to detect a format, to list an archive) are not counted, and a part that is left early,
    skipped or read twice still counts once: the share only grows.
    """

    def __init__(self) -> None:
        self.total_bytes = 0
        """Raw bytes of all parts that will be read."""
        self._before = self._part = self._read = 0

    def begin(self, num_bytes: int) -> None:
        """Start reading the next part of so many bytes; the one before counts as done."""
        self._before += self._part
        self._part, self._read = num_bytes, 0

    def add(self, num_bytes: int) -> None:
        """Count bytes that were read from disk."""
        self._read += num_bytes

    @property
    def share(self) -> float:
        """Share of the total that has been read, 0 to 1."""
        read_bytes = min(self._before + min(self._read, self._part), self.total_bytes)
        return read_bytes / self.total_bytes if self.total_bytes else 0.0


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Convert an `OSError`, or the `ValueError` of an invalid path, to a `CorpusError` that names `path`."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a path with NUL or a lone surrogate
        cause = (error.strerror if isinstance(error, OSError) else None) or str(error)
        hint = "Check its permissions." if isinstance(error, PermissionError) else "Check the path: --data names it."
        hint = "Check the disk, and try again." if getattr(error, "errno", None) == errno.EIO else hint
        raise CorpusError(f"{path} can't be read: {cause}.", hint) from error


def status_of(path: Path) -> os.stat_result:
    """Return the status of a file or folder, following links. Raises `CorpusError` for anything else."""
    with read_errors(path):
        found = os.stat(path)
    if stat.S_ISFIFO(found.st_mode):
        raise CorpusError(f"{path} is a pipe.", "Pipe it into the program with --data -.")
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise CorpusError(f"{path} is a device or socket, not a file.", "Give a file, a folder, or - for a pipe.")
    return found


class _DiskFile(ByteStream):
    """The bytes of a regular file, added to a `ReadProgress` as they are read.

    The file is open only during each read, so that thousands of archives can be listed without as many descriptors.
    """

    def __init__(self, path: Path, progress: ReadProgress, found: os.stat_result) -> None:
        self._path, self._progress, self._found = path, progress, found
        self._position = 0
        os.close(self._opened())

    def _opened(self) -> int:
        """Return a descriptor of the file. Raises `CorpusError` if it has been modified or replaced."""
        with read_errors(self._path):
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)  # never waits for the writer of a pipe
        before, now = self._found, os.fstat(descriptor)
        if any(getattr(before, each) != getattr(now, each) for each in ("st_dev", "st_ino", "st_size", "st_mtime_ns")):
            os.close(descriptor)
            raise CorpusError(f"{self._path} changed while it was read.", "Try again when nothing writes to it.")
        return descriptor

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def next_bytes(self, max_bytes: int) -> bytes:
        descriptor = self._opened()
        try:
            with read_errors(self._path):
                data = os.pread(descriptor, max_bytes, self._position)
        finally:
            os.close(descriptor)
        self._progress.add(len(data))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._found.st_size}[whence]
        if position < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = position
        return position


def open_disk(path: Path, progress: ReadProgress, found: os.stat_result) -> io.BufferedReader:
    """Open a regular file whose status was `found`. Raises `CorpusError` if it differs, also later while it is read."""
    return buffered(_DiskFile(path, progress, found))


# Compressed -----------------------------------------------------------------------------------------------------------

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
    *(zlib.error, lzma.LZMAError, zstd.ZstdError, zipfile.BadZipFile, struct.error),
    *(OSError, EOFError, ValueError, OverflowError, RuntimeError),
    MemoryError,  # an xz file may ask for 4 GB
)
"""The exceptions of the standard library on damaged archives."""
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


def damaged(name: str, what: str) -> CorpusError:
    """Return the error of a damaged archive or compressed file; `what` is a clause."""
    return CorpusError(f"{name} is damaged: {what}.", "Download or copy it again.")


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
        self._total += max(0, position - self._reached.get(stream, 0))
        self._reached[stream] = max(position, self._reached.get(stream, 0))
        if self._total > MAX_DECOMPRESSED_BYTES:
            raise CorpusError(
                f"{self._name} decompresses to over {MAX_DECOMPRESSED_BYTES >> 30} GB, too much to be read.",
                "Extract a part of it and give that.",
            )
        self.check_ratio(self._total, self._packed_bytes)

    def check_ratio(self, num_bytes: int, packed_bytes: int) -> None:
        """Raise `CorpusError` if `num_bytes` exceeds what `packed_bytes` of compressed text decompress to."""
        limit = max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * packed_bytes)
        if num_bytes > limit:
            raise CorpusError(
                f"{self._name} decompresses to over {limit >> 20:,} MB, far more than its size suggests.",
                "It may be a decompression bomb. If you trust it, extract it and give the file in it.",
            )


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
            if isinstance(error, MemoryError) or "memory" in str(error):  # zstd names its window so
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
