"""`Contents` of a file, folder or archive, and the rules by which its entries are read, ignored or refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from engine.corpus.readers.reader import Member
from engine.errors import CorpusError
from engine.text import sanitize_line

MAX_ENTRIES = 100_000
"""Limit of the entries in a folder or archive, of any kind; above it the path is probably a mistake."""
MAX_MEMBERS = 10_000
"""Limit of the files to read; each is a source with its own report, which takes half a millisecond or more."""
MAX_NAMES_OF_KIND = 1_000
MAX_KINDS = 3
"""Kinds of other files that an error names."""
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tzst")
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
_COMPRESSED_TARS = tuple(f".tar{suffix}" for suffix in COMPRESSED_SUFFIXES)
_DRIVE = re.compile(r"[A-Za-z]:")
_COMPRESSED_SUFFIX = re.compile(rf"(?:{'|'.join(map(re.escape, COMPRESSED_SUFFIXES))})$", re.IGNORECASE)
_SUFFIX = re.compile(r"\.[^./]+$")


Entry = TypeVar("Entry")
Wanted = Callable[[str], bool]
"""Whether a file inside a folder or archive is to be read, by its name."""


@dataclass(frozen=True)
class FoundMember(Member):
    """A member with its size on disk."""

    raw_bytes: int
    """Approximate bytes on disk, compressed: for an archive, the member's share."""
    encoding: str = ""
    """The encoding from which it is converted to UTF-8 when it is read; "" if it is not converted."""


@dataclass
class OtherFiles:
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

    def add_all(self, others: OtherFiles, folder: str) -> None:
        """Add the files of an archive in a folder."""
        self.counts.update(others.counts)
        for suffix, names in others.names.items():
            self.names.setdefault(suffix, []).extend(f"{folder}/{name}" for name in names)
            del self.names[suffix][MAX_NAMES_OF_KIND:]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the first files of each kind."""
        for names in self.names.values():
            yield from names

    def __str__(self) -> str:
        """Return the most frequent kinds with an example of each: "12 .jpg (a.jpg, ...), 1 .html (index.html)"."""
        kinds = self.counts.most_common(MAX_KINDS)
        shown = ", ".join(self._shown(suffix, count) for suffix, count in kinds)
        num_more = self.counts.total() - sum(count for _, count in kinds)
        return shown + (f" and {num_more:,} more" if num_more else "")

    def _shown(self, suffix: str, count: int) -> str:
        """Return one kind: "12 .jpg (a.jpg, ...)"."""
        first = sanitize_line(self.names[suffix][0], 60) + (", ..." if count > 1 else "")
        return f"{count:,} {sanitize_line(suffix, 20) or 'without a suffix'} ({first})"


@dataclass(frozen=True)
class Contents:
    """The members of a path."""

    members: tuple[FoundMember, ...]
    left_out: tuple[str, ...] = ()
    """Refused entries with the reason: "../x.csv (its path leaves the archive)"."""
    others: OtherFiles = field(default_factory=OtherFiles)
    is_container: bool = False
    """Whether it is a folder or an archive."""


def without_compression(name: str) -> str:
    """Return a file name without the suffix of a compression: "a.CSV" of "a.CSV.gz"."""
    return _COMPRESSED_SUFFIX.sub("", name)


def suffix_of(name: str) -> str:
    """Return a file name's suffix in lower case, ignoring compression: ".csv" of "a.CSV.gz"."""
    found = _SUFFIX.search(without_compression(name))
    return found.group().casefold() if found else ""


def is_archive(name: str) -> bool:
    """Return whether a file has the suffix of an archive."""
    return name.casefold().endswith(ARCHIVE_SUFFIXES + _COMPRESSED_TARS)


def is_hidden(name: str) -> bool:
    """Return whether an entry is ignored without a note: hidden, or added to a zip by macOS."""
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in name.split("/"))


def too_many_files(name: str, limit: int) -> CorpusError:
    """Return the error of a folder or archive with too many files."""
    return CorpusError(
        f"{name} contains over {limit:,} files.",
        "Extract it if it is an archive; give a folder in it, or merge the files.",
    )


class Listing(Generic[Entry]):
    """The entries of an archive, divided into those to read, those to report and those to count."""

    def __init__(self, shown: str, wanted: Wanted) -> None:
        """`shown` is the name of the archive in messages."""
        self._shown, self._wanted = shown, wanted
        self.entries: list[tuple[str, Entry]] = []
        """Those to read, as (path with slashes, entry)."""
        self.left_out: list[str] = []
        self.others = OtherFiles()

    def add(self, path: str, entry: Entry, *, is_file: bool) -> None:
        """Add an entry; `is_file` is False for links and devices. Raises `CorpusError` if there are too many."""
        name = path.replace("\\", "/").removeprefix("./")
        if not name or name.endswith("/") or is_hidden(name):
            return
        if not (self._wanted(name) or is_archive(name)):
            self.others.add(name)
        elif name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
            self.left_out.append(f"{name} (its path leaves the archive)")
        elif is_archive(name):
            self.left_out.append(f"{name} (an archive inside an archive)")
        elif not is_file:
            self.left_out.append(f"{name} (a link or device)")
        elif len(self.entries) == MAX_MEMBERS:
            raise too_many_files(self._shown, MAX_MEMBERS)
        else:
            self.entries.append((name, entry))

    def contents(self, members: Iterable[FoundMember]) -> Contents:
        """Return the contents of the archive with these members."""
        return Contents(tuple(members), tuple(self.left_out), self.others, is_container=True)
