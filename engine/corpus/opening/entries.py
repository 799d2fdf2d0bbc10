"""What a named file, folder or archive contains: its members, and which names inside are read, hidden or refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from engine.corpus.source import Member
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
