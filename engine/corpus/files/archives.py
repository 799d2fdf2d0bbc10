"""`Contents`: what is in a folder or archive, by rules for names and limits; zip and tar archives as members.

Members are read by `zipfile` and `tarfile` with bounds: never extracted to disk, and of tars only forwards.
"""

from __future__ import annotations

import io
import re
import stat
import tarfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from engine.corpus.files.streams import (
    BUFFER_BYTES,
    DECOMPRESSION_ERRORS,
    ByteStream,
    DecompressedStream,
    DecompressionLimit,
    Member,
    buffered,
    damaged,
    decompressed,
)
from engine.errors import CorpusError
from engine.text import sanitize_line

MAX_ENTRIES = 100_000
"""Limit of the entries in a folder or archive, of any kind; above it the path is probably a mistake."""
MAX_MEMBERS = 10_000
"""Limit of the files to read; each is a source with its own report, which takes half a millisecond or more."""
MAX_NAMES_OF_KIND = 1_000
MAX_KINDS = 3
"""Kinds of unsupported files that an error names."""
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tzst")
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
NESTED = " (an archive inside an archive)"
_DRIVE = re.compile(r"[A-Za-z]:")
_COMPRESSED_SUFFIX = re.compile(rf"(?:{'|'.join(map(re.escape, COMPRESSED_SUFFIXES))})$", re.IGNORECASE)
_SUFFIX = re.compile(r"\.[^./]+$")

Wanted = Callable[[str], bool]
"""Whether a file inside a folder or archive is to be read, by its path."""
Opener = Callable[[], io.BufferedReader]


def without_compression(name: str) -> str:
    """Return a file name without the suffix of a compression: "a.CSV" of "a.CSV.gz"."""
    return _COMPRESSED_SUFFIX.sub("", name)


def suffix_of(name: str) -> str:
    """Return a file name's suffix in lower case, ignoring compression: ".csv" of "a.CSV.gz"."""
    found = _SUFFIX.search(without_compression(name))
    return found.group().casefold() if found else ""


def is_archive(name: str) -> bool:
    """Return whether a file has the suffix of an archive."""
    return name.casefold().endswith((*ARCHIVE_SUFFIXES, *(f".tar{suffix}" for suffix in COMPRESSED_SUFFIXES)))


def too_many_files(name: str, limit: int) -> CorpusError:
    """Return the error of a folder or archive with too many files."""
    hint = "Extract it if it is an archive; give a folder in it, or merge the files."
    return CorpusError(f"{name} contains over {limit:,} files.", hint)


@dataclass
class UnsupportedFiles:
    """The files that are not opened because of their names; hidden ones are not counted."""

    counts: Counter[str] = field(default_factory=Counter)
    """Number of files by suffix."""
    names: dict[str, list[str]] = field(default_factory=dict)
    """Names of the first files by suffix, up to `MAX_NAMES_OF_KIND` each."""

    def add(self, name: str) -> None:
        """Add a file by its path inside."""
        suffix = suffix_of(name)
        self.counts[suffix] += 1
        names = self.names.setdefault(suffix, [])
        if len(names) < MAX_NAMES_OF_KIND:
            names.append(name)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the first files of each kind."""
        for names in self.names.values():
            yield from names

    def __str__(self) -> str:
        """Return the most frequent kinds with an example of each: "12 .jpg (a.jpg, ...), 1 .html (index.html)"."""
        kinds = []
        for suffix, count in self.counts.most_common(MAX_KINDS):
            first = sanitize_line(self.names[suffix][0], 60) + (", ..." if count > 1 else "")
            kinds.append(f"{count:,} {sanitize_line(suffix, 20) or 'without a suffix'} ({first})")
        num_more = self.counts.total() - sum(count for _, count in self.counts.most_common(MAX_KINDS))
        return ", ".join(kinds) + (f" and {num_more:,} more" if num_more else "")


@dataclass
class Contents:
    """What is found at a path."""

    members: list[Member] = field(default_factory=list)
    """The files that are read."""
    skipped: list[str] = field(default_factory=list)
    """Refused entries with the reason: "../x.csv (its path leaves the archive)"."""
    unsupported: UnsupportedFiles = field(default_factory=UnsupportedFiles)
    is_container: bool = True
    """Whether it is a folder or an archive."""

    def path_to_read(self, path: str, wanted: Wanted, shown: str, *, is_file: bool) -> str | None:
        """Return the path of an entry of the archive `shown` that is to be read; else None, and note why.

        `is_file` is False for links and devices. Raises `CorpusError` if there are too many.
        """
        name = path.replace("\\", "/").removeprefix("./")
        parts = name.split("/")
        is_hidden = "__MACOSX" in parts or any(each.startswith(".") and each != ".." for each in parts)
        if not name or name.endswith("/") or is_hidden:
            return None
        if not (wanted(name) or is_archive(name)):
            self.unsupported.add(name)
        elif name.startswith("/") or _DRIVE.match(name) or ".." in parts:
            self.skipped.append(f"{name} (its path leaves the archive)")
        elif is_archive(name):
            self.skipped.append(f"{name}{NESTED}")
        elif not is_file:
            self.skipped.append(f"{name} (a link or device)")
        elif len(self.members) == MAX_MEMBERS:
            raise too_many_files(shown, MAX_MEMBERS)
        else:
            return name
        return None

    def add(self, inside: str, found: Contents) -> None:
        """Add what is at the path `inside` of this folder: a file, or an archive with its members."""
        for member in found.members:
            name = f"{inside}/{member.name}" if found.is_container else inside
            self.members.append(replace(member, name=name))
        self.skipped += [f"{inside}/{phrase}" for phrase in found.skipped]
        self.unsupported.counts.update(found.unsupported.counts)
        for suffix, names in found.unsupported.names.items():
            self.unsupported.names.setdefault(suffix, []).extend(f"{inside}/{name}" for name in names)
            del self.unsupported.names[suffix][MAX_NAMES_OF_KIND:]


# Zip ------------------------------------------------------------------------------------------------------------------

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
MAX_LIST_BYTES = 64 << 20
"""Limit of the central directory, which `zipfile` reads at once; 100,000 files take about 10 MB."""
_ENTRY_MAGIC = b"PK\x01\x02"
_ENCRYPTED_FLAG = 0x1


class _BoundedReader(io.BufferedReader):
    """The zip file as `zipfile` sees it: a central directory with too many entries is refused before it is parsed."""

    def __init__(self, shown: str, file: io.BufferedReader) -> None:
        """`shown` is the name of the file in messages."""
        super().__init__(file.detach(), BUFFER_BYTES)
        self._shown = shown

    def read(self, size: int | None = -1, /) -> bytes:
        """Read some bytes. Raises `CorpusError` if they are a directory of too many entries."""
        data = super().read(MAX_LIST_BYTES if size is None or size < 0 else min(size, MAX_LIST_BYTES))
        if (size is not None and size > MAX_LIST_BYTES) or data.count(_ENTRY_MAGIC) > MAX_ENTRIES:
            raise too_many_files(self._shown, MAX_ENTRIES)
        return data


def open_zip(shown: str, open_raw: Opener) -> zipfile.ZipFile:
    """Open a zip archive; it has no descriptor to close. Raises `CorpusError`."""
    try:
        return zipfile.ZipFile(_BoundedReader(shown, open_raw()))
    except DECOMPRESSION_ERRORS as error:
        raise damaged(shown, "its central directory, at the end of the file, is missing or corrupt") from error


def zip_contents(shown: str, archive: zipfile.ZipFile, limit: DecompressionLimit, wanted: Wanted) -> Contents:
    """Return the wanted members of a zip archive. Raises `CorpusError`."""
    contents = Contents()
    num_bytes = packed_bytes = 0
    for number, info in enumerate(archive.infolist()):
        is_file = not stat.S_ISLNK(info.external_attr >> 16)
        name = contents.path_to_read(info.filename, wanted, shown, is_file=is_file)
        if name is not None:
            opened = partial(_open_entry, archive, info, f"{shown}: {name}", limit, number)
            contents.members.append(Member(name, opened, info.compress_size))
            limit.check_ratio(info.file_size, info.compress_size)
            num_bytes += info.file_size
            packed_bytes += info.compress_size
    limit.check_ratio(num_bytes, packed_bytes)
    return contents


def _open_entry(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, limit: DecompressionLimit, number: int
) -> io.BufferedReader:
    """Open an entry. Raises `CorpusError`."""
    if info.flag_bits & _ENCRYPTED_FLAG:
        raise CorpusError(f"{name} is encrypted.", "Extract it with its password and give the file in it.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer Pythons warn of overlapping entries; the limit counts them
            entry = archive.open(info)
    except NotImplementedError as error:
        what = f"{name} uses an unsupported zip compression (method {info.compress_type})."
        raise CorpusError(what, "Extract it and give the file in it.") from error
    except DECOMPRESSION_ERRORS as error:
        raise damaged(name, "it is not at its offset in the archive") from error
    file = buffered(DecompressedStream((entry,), "zip", name, limit, (number, -1)))
    return decompressed(file, name, limit, number)


# Tar ------------------------------------------------------------------------------------------------------------------

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


def _count_ratio(file: io.BufferedReader, *, is_used: bool) -> None:
    """Set whether what is decompressed next is limited by its compression ratio: a file that is not read is not."""
    if isinstance(file.raw, DecompressedStream):
        file.raw.is_used = is_used


def looks_like_tar(head: bytes) -> bool:
    """Return whether a file starts with a tar header, by its checksum: formats older than "ustar" have no magic."""
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError, OverflowError):
        return False
    return True


def tar_contents(shown: str, open_tar: Opener, raw_bytes: int, limit: DecompressionLimit, wanted: Wanted) -> Contents:
    """Return the wanted members of a tar archive of `raw_bytes` on disk. Raises `CorpusError`."""
    contents = Contents()
    idle: list[tuple[io.BufferedReader, int]] = []
    end = 0
    with open_tar() as file:
        for number, info in enumerate(_headers(file, shown)):
            if number == MAX_ENTRIES:
                raise too_many_files(shown, MAX_ENTRIES)
            name = None
            if not info.isdir():
                is_file = info.isreg() and not info.issparse()
                name = contents.path_to_read(info.name, wanted, shown, is_file=is_file)
            if name is not None:
                before, end = end, info.offset_data + info.size
                opened = partial(_open_member, open_tar, idle, info, f"{shown}: {name}", limit)
                contents.members.append(Member(name, opened, end - before))
            _count_ratio(file, is_used=name is not None)
        while not file.seekable() and file.read(_SKIP_BYTES):
            pass  # the checksum of compressed data is at its end
    contents.members = [replace(each, raw_bytes=each.raw_bytes * raw_bytes // end) for each in contents.members]
    return contents


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


class _TarMember(ByteStream):
    """The bytes of one member. Raises `CorpusError` if the archive ends before them."""

    def __init__(
        self, open_tar: Opener, idle: list[tuple[io.BufferedReader, int]], info: tarfile.TarInfo, name: str
    ) -> None:
        """`idle` has the open tar that the last member left and its position: the next member goes on with it.

        So reading one after the other takes linear time, also of a compressed tar.
        """
        self._idle, self._name = idle, name
        self._position, self._end = info.offset_data, info.offset_data + info.size
        tar, start = idle.pop() if idle and idle[0][1] <= self._position else (open_tar(), 0)
        idle.clear()
        _count_ratio(tar, is_used=False)  # `tar_contents` did
        _skip(tar, start, self._position)
        self._tar = tar

    def next_bytes(self, max_bytes: int) -> bytes:
        data = self._tar.read(min(max_bytes, self._end - self._position))
        if not data and self._position < self._end:
            raise damaged(self._name, "the archive is truncated inside it")
        self._position += len(data)
        return data

    def close(self) -> None:
        """Leave the open tar to the next member. Idempotent."""
        if not self.closed and hasattr(self, "_tar"):
            self._idle[:] = [(self._tar, self._position)]
        super().close()


def _open_member(
    open_tar: Opener,
    idle: list[tuple[io.BufferedReader, int]],
    info: tarfile.TarInfo,
    name: str,
    limit: DecompressionLimit,
) -> io.BufferedReader:
    """Open an entry. Raises `CorpusError`."""
    return decompressed(buffered(_TarMember(open_tar, idle, info, name)), name, limit, info.offset_data)
