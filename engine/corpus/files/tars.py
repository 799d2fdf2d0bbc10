"""Tar archives as members, compressed or not: `tarfile` parses the headers, members are read at their offsets.

A compressed tar can only be read forwards. `_ReaderPool` passes one open reader from member to member, so that reading
all of them in order decompresses the archive once. Never follows links, and never reads devices or sparse files.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from functools import partial

from engine.corpus.files.archive_entries import MAX_ENTRIES, Contents, FoundMember, Listing, Wanted, too_many_files
from engine.corpus.files.byte_stream import ByteStream, buffered
from engine.corpus.files.decompress import (
    DECOMPRESSION_ERRORS,
    DecompressedStream,
    DecompressionLimit,
    damaged,
    decompressed,
)

_MAX_HEADER_BYTES = 1 << 18
"""Limit of one member's long name and attributes: real ones have a few thousand bytes."""
_SKIP_BYTES = 1 << 20


class _Headers(io.RawIOBase):
    """The tar file as `tarfile` sees it: forwards only, with bounded reads."""

    def __init__(self, file: io.BufferedReader) -> None:
        """`file` must be at its first byte."""
        self._file = file
        self._position = 0
        self.last_block = b""
        """The result of the last read."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a header. Raises `tarfile.ReadError` if it is longer than any real one."""
        if size is None or not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError("a header is too long")
        self.last_block = self._file.read(size)
        self._position += len(self.last_block)
        return self.last_block

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Seek forwards. Raises `tarfile.ReadError` on a header that points back, which would loop for ever."""
        if whence != 0 or offset < self._position:
            raise tarfile.ReadError("a header points back")
        self._position = _skip(self._file, self._position, offset)
        return self._position


def _skip(file: io.BufferedReader, position: int, target: int) -> int:
    """Skip from `position` to `target`, by reading if the file can't seek; return the new position."""
    if file.seekable():
        return file.seek(target)
    while position < target and (data := file.read(min(_SKIP_BYTES, target - position))):
        position += len(data)
    return position


def looks_like_tar(head: bytes) -> bool:
    """Return whether a file starts with a tar header, by its checksum: formats older than "ustar" have no magic."""
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError, OverflowError):
        return False
    return True


def tar_contents(
    shown: str, open_tar: Callable[[], io.BufferedReader], raw_bytes: int, limit: DecompressionLimit, wanted: Wanted
) -> Contents:
    """Return the wanted members of a tar archive of `raw_bytes` on disk. Raises `CorpusError`."""
    listing = _listed(shown, open_tar, wanted)
    tar_bytes = max((info.offset_data + info.size for _, info in listing.entries), default=1)
    pool = _ReaderPool(open_tar)
    members = []
    before = 0
    for name, info in listing.entries:
        end = info.offset_data + info.size
        opened = partial(_opened, pool, info, f"{shown}: {name}", limit)
        members.append(FoundMember(name, opened, (end - before) * raw_bytes // tar_bytes))
        before = end
    return listing.contents(members)


def _count_ratio(file: io.BufferedReader, *, is_used: bool) -> None:
    """Set whether what is decompressed next is limited by its compression ratio: a file that is not read is not."""
    if isinstance(file.raw, DecompressedStream):
        file.raw.is_used = is_used


def _listed(shown: str, open_tar: Callable[[], io.BufferedReader], wanted: Wanted) -> Listing[tarfile.TarInfo]:
    """List the entries of a tar. Raises `CorpusError`."""
    listing = Listing[tarfile.TarInfo](shown, wanted)
    with open_tar() as file:
        for number, info in enumerate(_headers(file, shown)):
            if number == MAX_ENTRIES:
                raise too_many_files(shown, MAX_ENTRIES)
            num_wanted = len(listing.entries)
            if not info.isdir():
                listing.add(info.name, info, is_file=info.isreg() and not info.issparse())
            _count_ratio(file, is_used=len(listing.entries) > num_wanted)
        while not file.seekable() and file.read(_SKIP_BYTES):
            pass  # the checksum of compressed data is at its end
    return listing


def _headers(file: io.BufferedReader, shown: str) -> Iterator[tarfile.TarInfo]:
    """Yield the entries of a tar. Raises `CorpusError` on an invalid header."""
    headers = _Headers(file)
    try:
        with tarfile.open(fileobj=headers, mode="r:") as archive:
            for info in archive:
                archive.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it; it would keep every header
                yield info
    except (tarfile.TarError, IndexError, *DECOMPRESSION_ERRORS) as error:
        raise damaged(shown, f"its tar headers are invalid ({error})") from error
    if headers.last_block.strip(b"\0"):  # `tarfile` treats a damaged header as the end
        raise damaged(shown, "a tar header in it is invalid")


class _ReaderPool:
    """A pool of one open tar: a member that starts after the previous one reuses its reader."""

    def __init__(self, open_tar: Callable[[], io.BufferedReader]) -> None:
        self._open_tar = open_tar
        self._idle: tuple[io.BufferedReader, int] | None = None

    def acquire(self, offset: int) -> io.BufferedReader:
        """Return an open tar at `offset`."""
        idle, self._idle = self._idle, None
        file, position = idle if idle is not None and idle[1] <= offset else (self._open_tar(), 0)
        _count_ratio(file, is_used=False)  # `_listed` did
        _skip(file, position, offset)
        return file

    def release(self, file: io.BufferedReader, position: int) -> None:
        """Store an open tar at `position` for the next member."""
        self._idle = (file, position)


class _TarMember(ByteStream):
    """The bytes of one member. Raises `CorpusError` if the archive ends before them."""

    def __init__(self, pool: _ReaderPool, info: tarfile.TarInfo, name: str) -> None:
        self._pool, self._name = pool, name
        self._position, self._end = info.offset_data, info.offset_data + info.size
        self._tar = pool.acquire(info.offset_data)

    def next_bytes(self, max_bytes: int) -> bytes:
        """Return some bytes of the member."""
        data = self._tar.read(min(max_bytes, self._end - self._position))
        if not data and self._position < self._end:
            raise damaged(self._name, "the archive is truncated inside it")
        self._position += len(data)
        return data

    def close(self) -> None:
        """Release the reader. Idempotent."""
        if not self.closed and hasattr(self, "_tar"):
            self._pool.release(self._tar, self._position)
        super().close()


def _opened(pool: _ReaderPool, info: tarfile.TarInfo, name: str, limit: DecompressionLimit) -> io.BufferedReader:
    """Open an entry. Raises `CorpusError`."""
    member = buffered(_TarMember(pool, info, name))
    return decompressed(member, name, limit, info.offset_data)
