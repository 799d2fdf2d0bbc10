"""A folder's files and those below it, sorted; every file once and every folder once, whatever links say."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from engine.corpus.files.archive_entries import MAX_ENTRIES, MAX_MEMBERS, Wanted, is_archive, too_many
from engine.corpus.files.disk_file import read_errors
from engine.errors import CorpusError


@dataclass
class SkippedEntries:
    """What was met below a folder and not returned."""

    left_out: list[str] = field(default_factory=list)
    """Phrases: "a (a folder that can't be listed)"."""
    num_others: int = 0
    """Files that were not wanted."""


def files_below(folder: Path, wanted: Wanted, skipped: SkippedEntries) -> list[tuple[str, Path]]:
    """Return every archive and every file that is `wanted` and not hidden, by its path inside `folder`.

    Links are followed, for some programs keep their data behind links, but nothing is visited twice. A folder below
    that can't be listed, and whatever is not wanted, is added to `skipped`. Raises `CorpusError` where `folder`
    can't be listed, or there is no end of it.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [("", folder)]
    files: list[tuple[str, Path]] = []
    num_entries = 0
    while waiting:
        inside, path = waiting.pop()
        found = _status(path)
        if found is None or (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        if stat.S_ISREG(found.st_mode):
            if is_archive(inside) or wanted(inside):
                files.append((inside, path))
            else:
                skipped.num_others += 1
            if len(files) > MAX_MEMBERS:
                raise too_many(str(folder), MAX_MEMBERS)
        elif stat.S_ISDIR(found.st_mode):
            names = _names_in(path, inside, skipped.left_out)
            num_entries += len(names)
            if num_entries > MAX_ENTRIES:
                raise too_many(str(folder), MAX_ENTRIES)
            prefix = f"{inside}/" if inside else ""
            waiting += [(prefix + name, path / name) for name in names]
    return files


def _status(path: Path) -> os.stat_result | None:
    """Return a file's status, links followed; None for a link to nothing or to itself, or a file just deleted."""
    try:
        return os.stat(path)
    except OSError:
        return None


def _names_in(folder: Path, inside: str, left_out: list[str]) -> list[str]:
    """Return the names in a folder that are not hidden, the last first, so that the first is taken first."""
    try:
        with read_errors(folder):
            names = os.listdir(folder)
    except CorpusError:
        if not inside:
            raise
        left_out.append(f"{inside} (a folder that can't be listed)")
        names = []
    return sorted((name for name in names if not name.startswith(".")), reverse=True)
