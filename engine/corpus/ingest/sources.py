"""What was named, opened: which format each file has, which files belong together, and their rows.

Content decides first and the name second. An archive of X or Mastodon is one source, of which only the tweets are
read; any other folder or archive is as many sources as it holds readable files. All that is named is looked at before
the first row is read, so that what can't be used shows at once.
"""

from __future__ import annotations

import importlib.resources
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.config.corpus import STANDARD_INPUT, CorpusConfig, FileFormat
from engine.corpus.files.archive_entries import ARCHIVE_SUFFIXES, PACKED_SUFFIXES, Contents, FoundMember
from engine.corpus.files.contents import find
from engine.corpus.files.read_progress import ReadProgress
from engine.corpus.files.sniffing import Problem
from engine.corpus.files.standard_input import shown_path
from engine.corpus.files.utf16 import encoding_of
from engine.corpus.ingest.formats import (
    OUTBOX,
    READERS,
    SUFFIXES,
    detect_format,
    is_outbox,
    is_wanted,
    recognize_format,
)
from engine.corpus.readers.archives import x_rows
from engine.corpus.types import Row, Source
from engine.errors import CorpusError
from engine.text import harmless

EMBEDDED_NAME = "happy tweets (embedded, synthetic)"
_MAX_NAMES = 3

__all__ = ["EMBEDDED_NAME", "OpenedSource", "open_sources", "recognize_format"]


@dataclass(frozen=True)
class OpenedSource:
    """A source, and its rows to be read once."""

    file_index: int
    """Which of `config.files` it belongs to; 0 for the embedded corpus."""
    source: Source
    rows: Iterator[Row]
    """Opens what it reads at its first row. Raises `CorpusError`."""


@dataclass(frozen=True)
class _Group:
    """Members of a folder or archive that are one source."""

    format: FileFormat
    members: tuple[FoundMember, ...]

    @property
    def name(self) -> str:
        """The first member, and how many more there are."""
        more = f" + {len(self.members) - 1} more" if len(self.members) > 1 else ""
        return self.members[0].name + more


@dataclass(frozen=True)
class _SourcePlan:
    """A source that will be read."""

    file_index: int
    source: Source
    members: tuple[FoundMember, ...]

    @property
    def raw_bytes(self) -> int:
        """What reading it takes from disk."""
        return sum(member.raw_bytes for member in self.members)


def open_sources(config: CorpusConfig, progress: ReadProgress) -> Iterator[OpenedSource]:
    """Return all sources of a config in the order of its files, or the embedded corpus; reading moves `progress`.

    Raises `CorpusError` before the first where anything that was named can't be read.
    """
    if not config.files:
        yield from _embedded(config, progress)
        return
    names = _names([Path(os.path.expanduser(file)) for file in config.files])
    planned: list[_SourcePlan] = []
    for index, file in enumerate(config.files):
        planned += _plan(index, file, names[index], config, progress)
    yield from _opened(planned, config, progress)


def _embedded(config: CorpusConfig, progress: ReadProgress) -> Iterator[OpenedSource]:
    """Return the corpus that comes with the program."""
    with importlib.resources.as_file(importlib.resources.files("assets") / "happy.csv") as path:
        members = find(path, progress, lambda _: False).members
        planned = _SourcePlan(0, Source(EMBEDDED_NAME, "csv"), members)
        yield from _opened([planned], replace(config, column=None), progress)


def _opened(planned: Sequence[_SourcePlan], config: CorpusConfig, progress: ReadProgress) -> Iterator[OpenedSource]:
    """Return what was planned, ready to be read."""
    progress.expect(sum(each.raw_bytes for each in planned))
    for each in planned:
        yield OpenedSource(each.file_index, each.source, _rows(each, config, progress))


def _rows(planned: _SourcePlan, config: CorpusConfig, progress: ReadProgress) -> Iterator[Row]:
    """Return the rows of one source."""
    progress.begin(planned.raw_bytes)
    if planned.source.format == "x":
        yield from x_rows.x_rows(planned.members, planned.source, config)
    else:
        with planned.members[0].open() as file:
            if encoding := encoding_of(file):
                planned.source.notes.append(f"read as {encoding}")
            yield from READERS[planned.source.format](file, planned.source, config)


def _names(paths: list[Path]) -> list[str]:
    """Return what the named files are called in reports: their names, or paths where two have the same."""
    shown = [shown_path(path) for path in paths]
    names = [Path(each).name for each in shown]
    counts = Counter(names)
    return [harmless(name if name and counts[name] == 1 else whole) for name, whole in zip(names, shown, strict=True)]


def _plan(file_index: int, file: str, name: str, config: CorpusConfig, progress: ReadProgress) -> list[_SourcePlan]:
    """Return the sources in what was named. Raises `CorpusError` where there is none."""
    if file == STANDARD_INPUT:
        raise CorpusError("Standard input can be read only once.", "Save it as a file and name that.")
    if not file:
        raise CorpusError("The name of a file is empty.", "Name a file, a folder, or - for standard input.")
    path = Path(os.path.expanduser(file))
    contents = find(path, progress, lambda name: is_wanted(name, config.format))
    if not contents.is_container:
        (member,) = contents.members
        file_format = detect_format(member, config.format)
        if isinstance(file_format, Problem):
            raise file_format.error(shown_path(path))
        _refuse_column(file_format, config.column, shown_path(path))
        return [_SourcePlan(file_index, Source(name, file_format), (member,))]
    groups, left_out = _in_container(contents, config)
    if not groups:
        raise _nothing_readable(path, left_out, config.format)
    sources = []
    for group in groups:
        source = Source(harmless(f"{name}: {group.name}"), group.format)
        _refuse_column(group.format, config.column, source.name)
        sources.append(_SourcePlan(file_index, source, group.members))
    if left_out:
        sources[0].source.notes.append(f"not read: {_listed(left_out)}")
    if contents.num_others:
        sources[0].source.notes.append(_others_note(contents.num_others, is_of_x=groups[0].format == "x"))
    return sources


def _in_container(contents: Contents, config: CorpusConfig) -> tuple[list[_Group], list[str]]:
    """Return what is read of a folder or archive, and phrases for what is not."""
    looked_at = [(member, detect_format(member, config.format)) for member in contents.members]
    archives: dict[tuple[FileFormat, str], list[FoundMember]] = {}  # those of X and Mastodon, by their folder
    for member, file_format in looked_at:
        if not isinstance(file_format, Problem) and _is_of_archive(member.name, file_format):
            archives.setdefault((file_format, _archive_folder(member.name)), []).append(member)
    groups = [
        _Group(file_format, tuple(sorted(members, key=x_rows.tweets_first)))
        for (file_format, _), members in archives.items()
    ]
    left_out = list(contents.left_out)
    in_archives = {id(member) for group in groups for member in group.members}
    for member, file_format in looked_at:
        if id(member) in in_archives:
            continue
        if isinstance(file_format, Problem):
            left_out.append(f"{member.name} ({file_format.what})")
        elif x_rows.is_part(member.name) or any(member.name.startswith(folder) for _, folder in archives):
            left_out.append(member.name)
        else:
            groups.append(_Group(file_format, (member,)))
    return groups, left_out


def _is_of_archive(name: str, file_format: FileFormat) -> bool:
    """Say whether a file by its name and look belongs to an archive that is one source."""
    return (file_format == "x" and x_rows.is_part(name)) or (file_format == "mastodon" and is_outbox(name))


def _archive_folder(name: str) -> str:
    """Return the folder, with its slash, in which the archive of an X or Mastodon file begins."""
    folder = name.rpartition("/")[0]
    folder = folder.rpartition("/")[0] if folder.rpartition("/")[2] == "data" else folder
    return f"{folder}/" if folder else ""


def _refuse_column(file_format: FileFormat, column: str | None, name: str) -> None:
    """Raise `CorpusError` where a column was asked for and the format has none."""
    if column is not None and file_format == "text":
        raise CorpusError(
            f"{name} is read as plain text, which has no column {column}.", "Say what it is: --format csv or jsonl."
        )


def _nothing_readable(path: Path, left_out: list[str], file_format: FileFormat) -> CorpusError:
    """Return the error of a folder or archive in which nothing can be read."""
    kind = "a folder" if path.is_dir() else "an archive"
    kinds = ", ".join(SUFFIXES.get(file_format, (".js",) if file_format == "x" else (OUTBOX,)))
    found = f"; found but not read: {_listed(left_out)}" if left_out else ""
    packed = f", archives ({', '.join(ARCHIVE_SUFFIXES)}) and files packed as {', '.join(PACKED_SUFFIXES)}"
    return CorpusError(
        f"{shown_path(path)} is {kind} without a readable file{found}.",
        f"These are read: {kinds}{packed}." if path.is_dir() else f"These are read: {kinds}.",
    )


def _others_note(count: int, *, is_of_x: bool) -> str:
    """Return that there are files besides, which by their names hold no tweets."""
    told = f"{count:,} other file{'' if count == 1 else 's'} not opened"
    return f"{told} (messages, deleted tweets and media never are)" if is_of_x else told


def _listed(phrases: list[str]) -> str:
    """Return the first few phrases and how many more there are."""
    more = f" and {len(phrases) - _MAX_NAMES:,} more" if len(phrases) > _MAX_NAMES else ""
    return ", ".join(phrases[:_MAX_NAMES]) + more
