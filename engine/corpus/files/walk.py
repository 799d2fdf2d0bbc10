"""The files of a folder and its subfolders, sorted. Visits every file and folder once, and never leaves the folder."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from engine.corpus.files.archive_entries import MAX_ENTRIES, MAX_MEMBERS, OtherFiles, Wanted, is_archive, too_many_files
from engine.corpus.files.disk_file import read_errors
from engine.errors import CorpusError

LINK_AWAY = " (a link that leaves the folder: give its target)"


@dataclass
class SkippedEntries:
    """The entries below a folder that are not read."""

    left_out: list[str] = field(default_factory=list)
    """Refused entries with the reason: "a (a folder that can't be listed)"."""
    others: OtherFiles = field(default_factory=OtherFiles)


def files_below(folder: Path, wanted: Wanted, skipped: SkippedEntries) -> list[tuple[str, Path]]:
    """Return all archives and `wanted` files that are not hidden, as (path inside `folder`, path).

    Links are followed within the folder, since some programs store their data behind links. Links to other places,
    subfolders that can't be listed, and other files, are added to `skipped`. Raises `CorpusError` if `folder` can't be
    listed or has too many files.
    """
    root = os.path.realpath(folder)
    seen: set[tuple[int, int]] = set()
    waiting = [("", folder)]
    files: list[tuple[str, Path]] = []
    num_entries = 0
    while waiting:
        inside, path = waiting.pop()
        found = _status(path)
        if found is None or (found.st_dev, found.st_ino) in seen:
            continue
        is_file, is_folder = stat.S_ISREG(found.st_mode), stat.S_ISDIR(found.st_mode)
        if is_file and not (is_archive(inside) or wanted(inside)):
            skipped.others.add(inside)
            continue  # a link with a wanted name may lead to it
        seen.add((found.st_dev, found.st_ino))
        if (is_file or is_folder) and _leaves(path, root):
            skipped.left_out.append(inside + LINK_AWAY)
        elif is_file:
            files.append((inside, path))
            if len(files) > MAX_MEMBERS:
                raise too_many_files(str(folder), MAX_MEMBERS)
        elif is_folder:
            names = _names_in(path, inside, skipped.left_out)
            num_entries += len(names)
            if num_entries > MAX_ENTRIES:
                raise too_many_files(str(folder), MAX_ENTRIES)
            prefix = f"{inside}/" if inside else ""
            waiting += [(prefix + name, path / name) for name in names]
    return files


def _status(path: Path) -> os.stat_result | None:
    """Return a file's status, following links; None for a broken or cyclic link, or a deleted file."""
    try:
        return os.stat(path)
    except OSError:
        return None


def _leaves(path: Path, root: str) -> bool:
    """Return whether a path is a link to a place outside of the folder `root`, which is without links."""
    return path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root)


def _names_in(folder: Path, inside: str, left_out: list[str]) -> list[str]:
    """Return the names in a folder that are not hidden, in reverse order: the caller pops from the end."""
    try:
        with read_errors(folder):
            names = os.listdir(folder)
    except CorpusError:
        if not inside:
            raise
        left_out.append(f"{inside} (a folder that can't be listed)")
        names = []
    return sorted((name for name in names if not name.startswith(".")), reverse=True)
