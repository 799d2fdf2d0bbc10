"""Names inside folders and archives: which are hidden, which would leave the archive; and a stretch of a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO

from engine.corpus.opening.found import Wanted
from engine.corpus.opening.streams import ByteStream
from engine.corpus.opening.unpacking import damaged
from engine.errors import CorpusError

MAX_ENTRIES = 100_000
"""More files than this in a folder or archive are surely not what was meant, pictures and all."""
MAX_MEMBERS = 10_000
"""The same of files that would be read, each a source with a report of its own: half a millisecond and more."""
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tbz2", ".txz")
PACKED_SUFFIXES = (".gz", ".bz2", ".xz")
_PACKED_TARS = tuple(f".tar{suffix}" for suffix in PACKED_SUFFIXES)
_DRIVE = re.compile(r"[A-Za-z]:")
_PACKED_SUFFIX = re.compile(rf"(?:{'|'.join(map(re.escape, PACKED_SUFFIXES))})$", re.IGNORECASE)
_SUFFIX = re.compile(r"\.[^./]+$")


def suffix_of(name: str) -> str:
    """Return a file name's suffix in small letters, that of a packing left out: ".csv" of "a.CSV.gz"."""
    found = _SUFFIX.search(_PACKED_SUFFIX.sub("", name))
    return found.group().casefold() if found else ""


def is_archive(name: str) -> bool:
    """Say whether a file is called like an archive."""
    return name.casefold().endswith(ARCHIVE_SUFFIXES + _PACKED_TARS)


def is_hidden(name: str) -> bool:
    """Say whether nothing need be said of an entry: it is hidden, or macOS added it to a zip."""
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in name.split("/"))


def is_looked_at(name: str, wanted: Wanted) -> bool:
    """Say whether an entry is wanted, or would be if it could be opened."""
    return wanted(name) or is_archive(name)


def reason_against(name: str) -> str:
    """Return why an entry of an archive is not opened, from its path with slashes; nothing where it may be."""
    if name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
        return "its path leaves the archive"
    return "an archive inside an archive" if is_archive(name) else ""


def too_many(name: str, limit: int) -> CorpusError:
    """Return the error of a folder or archive that holds more files than may be."""
    return CorpusError(
        f"{name} holds over {limit:,} files.",
        "Unpack it if it is an archive; name a folder in it, or join the files into one.",
    )


class Stretch(ByteStream):
    """Some bytes of a file from where it stands; ends with them and complains if the file ends first."""

    def __init__(self, file: BinaryIO, num_bytes: int, name: str, release: Callable[[int], None]) -> None:
        """Read `num_bytes` of `file`; `release` is told on closing how many of them were not read."""
        self._file, self._left, self._name, self._release = file, num_bytes, name, release

    def next_bytes(self, max_bytes: int) -> bytes:
        """Read some bytes."""
        data = self._file.read(min(max_bytes, self._left))
        if not data and self._left:
            raise damaged(self._name, "the archive ends in the middle of it")
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Give the file back; again does nothing."""
        if not self.closed:
            self._release(self._left)
        super().close()
