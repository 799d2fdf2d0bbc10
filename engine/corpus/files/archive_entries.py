"""What a named file, folder or archive contains: its members, and which names inside are read, hidden or refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.corpus.types import Member
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


Entry = TypeVar("Entry")
Wanted = Callable[[str], bool]
"""Says by its name whether a file inside a folder or archive is looked at."""


@dataclass(frozen=True)
class FoundMember(Member):
    """A member, and what reading it costs."""

    raw_bytes: int
    """Bytes on disk that reading it takes, about: compressed, in their share of an archive."""


@dataclass(frozen=True)
class Contents:
    """The members of what was named."""

    members: tuple[FoundMember, ...]
    left_out: tuple[str, ...] = ()
    """What was found and not taken, each a phrase: "../x.csv (its path leaves the archive)"."""
    num_others: int = 0
    """Files that were not wanted, the hidden ones apart."""
    is_container: bool = False
    """Whether it is a folder or archive, whose members have names of their own."""


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


def too_many(name: str, limit: int) -> CorpusError:
    """Return the error of a folder or archive that holds more files than may be."""
    return CorpusError(
        f"{name} holds over {limit:,} files.",
        "Unpack it if it is an archive; name a folder in it, or join the files into one.",
    )


class Listing(Generic[Entry]):
    """The entries of an archive, sorted into those to read, those to name and those to count."""

    def __init__(self, shown: str, wanted: Wanted) -> None:
        """Begin without an entry of the archive that is called `shown` in messages."""
        self._shown, self._wanted = shown, wanted
        self.entries: list[tuple[str, Entry]] = []
        """Those to read, by their path with slashes."""
        self.left_out: list[str] = []
        self.num_others = 0

    def add(self, path: str, entry: Entry, *, is_file: bool) -> None:
        """Sort an entry; `is_file` is False for links and devices. Raises `CorpusError` where there are too many."""
        name = path.replace("\\", "/").removeprefix("./")
        if not name or name.endswith("/") or is_hidden(name):
            return
        if not (self._wanted(name) or is_archive(name)):
            self.num_others += 1
        elif name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
            self.left_out.append(f"{name} (its path leaves the archive)")
        elif is_archive(name):
            self.left_out.append(f"{name} (an archive inside an archive)")
        elif not is_file:
            self.left_out.append(f"{name} (a link or device)")
        elif len(self.entries) == MAX_MEMBERS:
            raise too_many(self._shown, MAX_MEMBERS)
        else:
            self.entries.append((name, entry))

    def contents(self, members: Iterable[FoundMember]) -> Contents:
        """Return what the archive contains, given its members."""
        return Contents(tuple(members), tuple(self.left_out), self.num_others, is_container=True)
