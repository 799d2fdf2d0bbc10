"""Tar archives, packed or not: tarfile reads the headers, a member's bytes are read here.

A packed tar can only be read forwards. `_Passes` hands one open pass from member to member, so that reading all of them
in their order unpacks the archive once. Links, devices and sparse files are never followed or made up.
"""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.corpus.opening.entries import (
    MAX_ENTRIES,
    MAX_MEMBERS,
    Stretch,
    is_hidden,
    is_looked_at,
    reason_against,
    too_many,
)
from engine.corpus.opening.found import Contents, FoundMember, Wanted
from engine.corpus.opening.streams import buffered
from engine.corpus.opening.unpacking import Allowance, damaged, unpacked
from engine.corpus.opening.wide_text import narrowed

_MAX_HEADER_BYTES = 1 << 18
"""Of one member; real ones have 512 bytes to a few thousand, made-up ones could fill the memory."""
_MAX_ALL_HEADERS_BYTES = 1 << 28
_SKIP_BYTES = 1 << 20


@dataclass(frozen=True)
class _Entry:
    """A wanted entry: where its bytes lie in the unpacked tar."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class _Listing:
    """What is in a tar."""

    entries: list[_Entry]
    left_out: list[str]
    num_others: int
    tar_bytes: int


def looks_like_tar(head: bytes) -> bool:
    """Say whether a file begins with the header of a tar: its checksum tells, also where it is older than "ustar"."""
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError, OverflowError):
        return False
    return True


def tar_contents(
    shown: str, open_tar: Callable[[], io.BufferedReader], raw_bytes: int, allowance: Allowance, wanted: Wanted
) -> Contents:
    """Return the wanted members of a tar archive of `raw_bytes` on disk. Raises `CorpusError`."""
    passes = _Passes(open_tar)
    listing = _listed(shown, open_tar, wanted)
    members = []
    before = 0
    for entry in listing.entries:
        share = (entry.last - before) / max(1, listing.tar_bytes)
        members.append(_member(shown, passes, allowance, entry, int(share * raw_bytes)))
        before = entry.last
    return Contents(tuple(members), tuple(listing.left_out), listing.num_others, is_container=True)


def _listed(shown: str, open_tar: Callable[[], io.BufferedReader], wanted: Wanted) -> _Listing:
    """Return what is in a tar. Raises `CorpusError`."""
    entries: list[_Entry] = []
    left_out: list[str] = []
    num_entries = num_others = 0
    with open_tar() as file:
        headers = _Headers(file, shown)
        for info in _entries(headers, shown):
            num_entries += 1
            if num_entries > MAX_ENTRIES:
                raise too_many(shown, MAX_ENTRIES)
            name = _name_of(info)
            if info.isdir() or is_hidden(name):
                continue
            if not is_looked_at(name, wanted):
                num_others += 1
            elif reason := reason_against(name):
                left_out.append(f"{name} ({reason})")
            elif not info.isreg() or info.sparse is not None:
                left_out.append(f"{name} (a link or device)")
            elif len(entries) == MAX_MEMBERS:
                raise too_many(shown, MAX_MEMBERS)
            else:
                entries.append(_Entry(name, info.offset_data, info.offset_data + info.size))
        tar_bytes = headers.tell()
        while not file.seekable() and file.read(_SKIP_BYTES):
            pass  # only at its end does packed data prove to be whole
        return _Listing(entries, left_out, num_others, tar_bytes)


def _name_of(info: tarfile.TarInfo) -> str:
    """Return an entry's path with slashes, as it is shown and asked for."""
    return info.name.replace("\\", "/").removeprefix("./")


def _entries(headers: _Headers, shown: str) -> Iterator[tarfile.TarInfo]:
    """Return all entries of a tar, one after another. Raises `CorpusError` where a header makes no sense."""
    try:
        with tarfile.open(fileobj=headers, mode="r:", errorlevel=0) as archive:
            headers.begin_entry()
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it; it would keep every header
                yield info
                headers.begin_entry()
    except (tarfile.TarError, struct.error, ValueError, OverflowError, IndexError, EOFError, OSError) as error:
        raise damaged(shown, f"its tar headers make no sense ({error})") from error
    if headers.last_block.strip(b"\0"):
        raise damaged(shown, "what follows a file in it is no tar header")


class _Headers(io.RawIOBase):
    """An open tar as tarfile sees it while it looks for headers: forwards only, and a bounded number of bytes each."""

    def __init__(self, file: io.BufferedReader, name: str) -> None:
        """Begin where the file stands."""
        self._file, self._name = file, name
        self._position = 0
        self._num_header_bytes = self._num_all_bytes = 0
        self.last_block = b""
        """What was read last."""

    def begin_entry(self) -> None:
        """Allow the next entry its header."""
        self._num_header_bytes = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the bytes before here."""
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a header. Raises `CorpusError` where it is longer than any real one."""
        size = -1 if size is None else size
        self._num_header_bytes += size
        self._num_all_bytes += size
        is_too_long = self._num_header_bytes > _MAX_HEADER_BYTES or self._num_all_bytes > _MAX_ALL_HEADERS_BYTES
        if size < 0 or is_too_long:
            raise damaged(self._name, "a header in it is too long")
        self.last_block = self._file.read(size)
        self._position += len(self.last_block)
        return self.last_block

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go forwards. Raises `CorpusError` where a header points back, which would never end."""
        if whence != 0 or offset < self._position:
            raise damaged(self._name, "a header in it points back")
        self._position = _skip(self._file, self._position, offset)
        return self._position


def _skip(file: io.BufferedReader, position: int, target: int) -> int:
    """Go forwards from `position` to `target` in a file that may not be able to seek; return where that ended."""
    if file.seekable():
        return file.seek(target)
    while position < target and (data := file.read(min(_SKIP_BYTES, target - position))):
        position += len(data)
    return position


class _Passes:
    """Lends an open tar that stands at a place: the one that was given back last, where that lies before it."""

    def __init__(self, open_tar: Callable[[], io.BufferedReader]) -> None:
        """Begin without an open one."""
        self._open_tar = open_tar
        self._idle: tuple[io.BufferedReader, int] | None = None

    def take(self, offset: int) -> io.BufferedReader:
        """Return an open tar that stands at `offset`."""
        idle, self._idle = self._idle, None
        if idle is not None and idle[1] <= offset:
            file, position = idle
        else:
            if idle is not None:
                idle[0].close()
            file, position = self._open_tar(), 0
        _skip(file, position, offset)
        return file

    def give_back(self, file: io.BufferedReader, position: int) -> None:
        """Keep an open tar that stands at `position` for the next member."""
        if self._idle is not None:
            self._idle[0].close()
        self._idle = (file, position)


def _member(shown: str, passes: _Passes, allowance: Allowance, entry: _Entry, raw_bytes: int) -> FoundMember:
    """Return the member that an entry is."""
    full_name = f"{shown}: {entry.name}"

    def opened() -> io.BufferedReader:
        tar = passes.take(entry.first)
        num_bytes = entry.last - entry.first
        stretch = Stretch(tar, num_bytes, full_name, lambda num_left: passes.give_back(tar, entry.last - num_left))
        return narrowed(unpacked(buffered(stretch), full_name, allowance))

    return FoundMember(entry.name, opened, raw_bytes)
