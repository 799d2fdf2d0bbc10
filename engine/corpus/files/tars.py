"""Tar archives as members, packed or not: `tarfile` reads the headers, a member's bytes are read where it says.

A compressed tar can only be read forwards. `_ReaderPool` passes one open reader from member to member, so that reading
all of them in order decompresses the archive once. Never follows links, and never reads devices or sparse files.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from functools import partial

from engine.corpus.files.archive_entries import MAX_ENTRIES, Contents, FoundMember, Listing, Wanted, too_many
from engine.corpus.files.byte_stream import ByteStream, buffered
from engine.corpus.files.decompress import UNPACKING_ERRORS, UnpackLimit, damaged, unpacked
from engine.corpus.files.utf16 import narrowed

_MAX_HEADER_BYTES = 1 << 18
"""Of one member's long name and attributes; real ones have a few thousand, made-up ones could fill the memory."""
_SKIP_BYTES = 1 << 20


class _Headers(io.RawIOBase):
    """A tar as `tarfile` sees it while it looks for headers: read forwards only, a bounded number of bytes at once."""

    def __init__(self, file: io.BufferedReader) -> None:
        """Begin at the start of `file`."""
        self._file = file
        self._position = 0
        self.last_block = b""
        """What was read last."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the bytes before here."""
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a header. Raises `tarfile.ReadError` where it is longer than any real one."""
        if size is None or not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError("a header is too long")
        self.last_block = self._file.read(size)
        self._position += len(self.last_block)
        return self.last_block

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go forwards. Raises `tarfile.ReadError` where a header points back, which would never end."""
        if whence != 0 or offset < self._position:
            raise tarfile.ReadError("a header points back")
        self._position = _skip(self._file, self._position, offset)
        return self._position


def _skip(file: io.BufferedReader, position: int, target: int) -> int:
    """Go forwards from `position` to `target` in a file that may not be able to seek; return where that ended."""
    if file.seekable():
        return file.seek(target)
    while position < target and (data := file.read(min(_SKIP_BYTES, target - position))):
        position += len(data)
    return position


def looks_like_tar(head: bytes) -> bool:
    """Say whether a file begins with the header of a tar: its checksum tells, also where it is older than "ustar"."""
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError, OverflowError):
        return False
    return True


def tar_contents(
    shown: str, open_tar: Callable[[], io.BufferedReader], raw_bytes: int, limit: UnpackLimit, wanted: Wanted
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


def _listed(shown: str, open_tar: Callable[[], io.BufferedReader], wanted: Wanted) -> Listing[tarfile.TarInfo]:
    """Return what is in a tar. Raises `CorpusError`."""
    listing = Listing[tarfile.TarInfo](shown, wanted)
    with open_tar() as file:
        for number, info in enumerate(_headers(file, shown)):
            if number == MAX_ENTRIES:
                raise too_many(shown, MAX_ENTRIES)
            if not info.isdir():
                listing.add(info.name, info, is_file=info.isreg() and not info.issparse())
        while not file.seekable() and file.read(_SKIP_BYTES):
            pass  # only at its end does packed data prove to be whole
    return listing


def _headers(file: io.BufferedReader, shown: str) -> Iterator[tarfile.TarInfo]:
    """Return all entries of a tar, one after another. Raises `CorpusError` where a header makes no sense."""
    headers = _Headers(file)
    try:
        with tarfile.open(fileobj=headers, mode="r:") as archive:
            for info in archive:
                archive.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it; it would keep every header
                yield info
    except (tarfile.TarError, IndexError, *UNPACKING_ERRORS) as error:
        raise damaged(shown, f"its tar headers make no sense ({error})") from error
    if headers.last_block.strip(b"\0"):  # `tarfile` takes a damaged header for the end
        raise damaged(shown, "what follows a file in it is no tar header")


class _ReaderPool:
    """Lends an open tar that stands at a place: the one that was given back last, where that lies before it."""

    def __init__(self, open_tar: Callable[[], io.BufferedReader]) -> None:
        """Begin without an open one."""
        self._open_tar = open_tar
        self._idle: tuple[io.BufferedReader, int] | None = None

    def acquire(self, offset: int) -> io.BufferedReader:
        """Return an open tar that stands at `offset`."""
        idle, self._idle = self._idle, None
        file, position = idle if idle is not None and idle[1] <= offset else (self._open_tar(), 0)
        _skip(file, position, offset)
        return file

    def release(self, file: io.BufferedReader, position: int) -> None:
        """Keep an open tar that stands at `position` for the next member."""
        self._idle = (file, position)


class _TarMember(ByteStream):
    """The bytes of one member; ends with them, and complains if the archive ends first."""

    def __init__(self, pool: _ReaderPool, info: tarfile.TarInfo, name: str) -> None:
        """Begin at the member's first byte."""
        self._pool, self._name = pool, name
        self._position, self._end = info.offset_data, info.offset_data + info.size
        self._tar = pool.acquire(info.offset_data)

    def next_bytes(self, max_bytes: int) -> bytes:
        """Read some bytes."""
        data = self._tar.read(min(max_bytes, self._end - self._position))
        if not data and self._position < self._end:
            raise damaged(self._name, "the archive ends in the middle of it")
        self._position += len(data)
        return data

    def close(self) -> None:
        """Give the tar back; again does nothing."""
        if not self.closed and hasattr(self, "_tar"):
            self._pool.release(self._tar, self._position)
        super().close()


def _opened(pool: _ReaderPool, info: tarfile.TarInfo, name: str, limit: UnpackLimit) -> io.BufferedReader:
    """Open an entry. Raises `CorpusError`."""
    stretch = buffered(_TarMember(pool, info, name))
    return narrowed(unpacked(stretch, name, limit, info.offset_data))
