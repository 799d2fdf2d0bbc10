"""Zip archives: the list of entries is zipfile's, an entry's bytes are read here, straight from their place on disk.

Read this way, entries need no shared open archive, stay within the `Allowance`, and one that is damaged says so itself.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

from engine.corpus.opening.entries import MAX_MEMBERS, Stretch, is_hidden, is_looked_at, reason_against, too_many
from engine.corpus.opening.found import Contents, FoundMember, Wanted
from engine.corpus.opening.streams import ByteStream, buffered
from engine.corpus.opening.unpacking import DEFLATE, Allowance, Unpacker, damaged, unpacked
from engine.corpus.opening.wide_text import narrowed
from engine.errors import CorpusError

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_MAX_DIRECTORY_BYTES = 64 << 20
"""zipfile reads the list of entries at once; that of 200,000 photos has 30 MB."""
_ENCRYPTED_FLAG = 0x1
_HEADER = struct.Struct("<4s22xHH")
"""An entry's own header: signature, ..., length of its name, length of its extra field."""


class _Directory(io.BufferedReader):
    """An open zip that gives no more at once than a list of entries may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile("its list of entries is too long")
        return super().read(size)


def zip_contents(
    shown: str, open_raw: Callable[[], io.BufferedReader], allowance: Allowance, wanted: Wanted
) -> Contents:
    """Return the wanted members of a zip archive. Raises `CorpusError`."""
    members: list[FoundMember] = []
    left_out: list[str] = []
    num_others = 0
    for info in zip_entries(shown, open_raw):
        name = info.filename.replace("\\", "/").removeprefix("./")
        if not name or name.endswith("/") or is_hidden(name):
            continue
        if not is_looked_at(name, wanted):
            num_others += 1
        elif reason := reason_against(name):
            left_out.append(f"{name} ({reason})")
        elif _is_link(info):
            left_out.append(f"{name} (a link)")
        elif len(members) == MAX_MEMBERS:
            raise too_many(shown, MAX_MEMBERS)
        else:
            members.append(_member(shown, open_raw, allowance, info, name))
    return Contents(tuple(members), tuple(left_out), num_others, is_container=True)


def zip_entries(shown: str, open_raw: Callable[[], io.BufferedReader]) -> list[zipfile.ZipInfo]:
    """Return all entries of a zip archive. Raises `CorpusError`."""
    with _Directory(open_raw().detach()) as directory:
        try:
            with zipfile.ZipFile(directory) as archive:
                return archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OverflowError, OSError) as error:
            raise damaged(shown, "its list of entries, at the end of a zip, is missing or wrong") from error


def _is_link(info: zipfile.ZipInfo) -> bool:
    """Say whether an entry is a symbolic link, as Unix programs store them."""
    return (info.external_attr >> 16) & 0o170000 == 0o120000


def _member(
    shown: str, open_raw: Callable[[], io.BufferedReader], allowance: Allowance, info: zipfile.ZipInfo, name: str
) -> FoundMember:
    """Return the member that an entry is."""
    full_name = f"{shown}: {name}"

    def opened() -> io.BufferedReader:
        file = buffered(_Entry(open_raw(), info, full_name, allowance))
        return narrowed(unpacked(file, full_name, allowance))

    return FoundMember(name, opened, raw_bytes=info.compress_size)


class _Entry(ByteStream):
    """The bytes of an entry, its length and checksum checked at its end."""

    def __init__(self, raw: io.BufferedReader, info: zipfile.ZipInfo, name: str, allowance: Allowance) -> None:
        """Find the entry's data. Raises `CorpusError`."""
        self._raw, self._info, self._name, self._allowance = raw, info, name, allowance
        self._position = self._checksum = 0
        if info.flag_bits & _ENCRYPTED_FLAG:
            raise CorpusError(f"{name} is encrypted.", "Unpack it with its password and name the file in it.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise CorpusError(
                f"{name} is packed in a rare way (zip method {info.compress_type}).",
                "Unpack it and name the file in it.",
            )
        header = self._header()
        stretch = Stretch(raw, info.compress_size, name, lambda _: raw.close())
        raw.seek(info.header_offset + _HEADER.size + header)
        is_stored = info.compress_type == zipfile.ZIP_STORED
        packed = buffered(stretch)
        self._data = packed if is_stored else Unpacker(packed, DEFLATE, name, allowance, name + "#zip")

    def _header(self) -> int:
        """Return the bytes between an entry's header and its data."""
        try:
            self._raw.seek(self._info.header_offset)
            signature, name_bytes, extra_bytes = _HEADER.unpack(self._raw.read(_HEADER.size))
        except (struct.error, ValueError, OverflowError, OSError) as error:
            raise damaged(self._name, "it is not where the archive says") from error
        if signature != MAGIC[0]:
            raise damaged(self._name, "it is not where the archive says")
        return int(name_bytes + extra_bytes)

    def next_bytes(self, max_bytes: int) -> bytes:
        """Return some bytes. Raises `CorpusError` where length or checksum is not what the archive says."""
        data = self._data.read(max_bytes) or b""
        self._position += len(data)
        self._checksum = zlib.crc32(data, self._checksum)
        if self._info.compress_type == zipfile.ZIP_STORED:  # or else the `Unpacker` has counted it
            self._allowance.spend(self._name, self._position, self._position)
        if self._position > self._info.file_size or (
            not data and (self._position, self._checksum) != (self._info.file_size, self._info.CRC)
        ):
            raise damaged(self._name, "its length or checksum is wrong")
        return data

    def close(self) -> None:
        """Close the archive; again does nothing."""
        if not self.closed and hasattr(self, "_data"):
            self._data.close()
        super().close()
