"""Opens the sources of a config: a file is one, a folder or archive as many as `grouping` finds in it.

All files are checked before the first row is read, so that errors show at once. Never cleans a row.
"""

from __future__ import annotations

import importlib.resources
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from pathlib import Path

from engine.config.corpus import STANDARD_INPUT, CorpusConfig
from engine.corpus.files.archive_entries import FoundMember
from engine.corpus.files.contents import find
from engine.corpus.files.read_progress import ReadProgress
from engine.corpus.files.refused import Refusal
from engine.corpus.files.standard_input import shown_path
from engine.corpus.formats import detect, is_wanted
from engine.corpus.ingest.grouping import group_members, listed, notes_on_others
from engine.corpus.readers.reader import Format, NoTextsError, Row, Source
from engine.corpus.readers.tables.csv_rows import CSV
from engine.corpus.readers.text_rows import TEXT
from engine.errors import CorpusError
from engine.text import sanitize_line

EMBEDDED_NAME = "happy tweets (embedded, synthetic)"
_COLUMN_OPTIONS = ("column", "label_column")
"""Fields of `CorpusConfig` that only formats with columns use."""


@dataclass(frozen=True)
class OpenedSource:
    """A source and the iterator over its rows."""

    file_index: int
    """Index into `config.files`; 0 for the embedded corpus."""
    source: Source
    rows: Iterator[Row]
    """Opens the file at the first row. Raises `CorpusError`."""


@dataclass(frozen=True)
class _SourcePlan:
    """A source whose format is known and whose rows are not read yet."""

    file_index: int
    source: Source
    format: Format
    members: tuple[FoundMember, ...]

    @property
    def raw_bytes(self) -> int:
        """Bytes on disk of all its members."""
        return sum(member.raw_bytes for member in self.members)


def open_sources(config: CorpusConfig, progress: ReadProgress) -> Iterator[OpenedSource]:
    """Yield all sources of a config in the order of its files, or the embedded corpus; reading updates `progress`.

    Raises `CorpusError` before the first source if any file can't be read.
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
    """Yield the embedded corpus."""
    with importlib.resources.as_file(importlib.resources.files("assets") / "happy.csv") as path:
        members = find(path, progress, lambda _: False).members
        planned = _SourcePlan(0, Source(EMBEDDED_NAME, "csv"), CSV, members)
        yield from _opened([planned], replace(config, column=None), progress)


def _opened(planned: Sequence[_SourcePlan], config: CorpusConfig, progress: ReadProgress) -> Iterator[OpenedSource]:
    """Announce the sizes of all sources, then yield them."""
    progress.expect(sum(each.raw_bytes for each in planned))
    for file_index, plans in groupby(planned, key=lambda each: each.file_index):
        first, *others = plans
        if others:
            yield from _with_texts([first, *others], config, progress)
        else:
            yield OpenedSource(file_index, first.source, _rows(first, config, progress))


def _with_texts(plans: Sequence[_SourcePlan], config: CorpusConfig, progress: ReadProgress) -> Iterator[OpenedSource]:
    """Yield the sources of a folder or archive that have texts; the first one's notes list the others.

    Raises `CorpusError` if some have no texts, and no other has a row.
    """
    notes: list[str] = []
    without: list[str] = []
    problems: dict[str, NoTextsError] = {}
    main: Source | None = None
    has_rows = False
    for each in plans:
        rows = _rows(each, config, progress)
        try:
            ahead = list(islice(rows, 1))
        except NoTextsError as error:
            problems[each.source.name] = error
            notes += each.source.notes
            without.append(f"{each.members[0].name} (without texts)")
            continue
        main, has_rows = main or each.source, has_rows or bool(ahead)
        yield OpenedSource(each.file_index, each.source, _as_far_as_texts(chain(ahead, rows), each.source, problems))
    if problems and (not has_rows or len(problems) == len(plans)):
        raise _without_texts(problems)
    if main is not None:
        main.notes += [*notes, *([f"not read: {listed(without)}"] if without else [])]


def _as_far_as_texts(rows: Iterator[Row], source: Source, problems: dict[str, NoTextsError]) -> Iterator[Row]:
    """Yield the rows of one source among others; that it has no texts is a note, and added to `problems`."""
    try:
        yield from rows
    except NoTextsError as error:
        problems[source.name] = error
        source.notes.append(error.message)


def _without_texts(problems: dict[str, NoTextsError]) -> CorpusError:
    """Return the error of a folder or archive in which no texts are found, by the names of its sources."""
    if len(problems) == 1:
        [problem] = problems.values()
        return problem
    return CorpusError(
        f"No texts are found in {listed(list(problems))}.",
        "Choose a file with --member, and set the column or key of its texts with --column.",
    )


def _rows(planned: _SourcePlan, config: CorpusConfig, progress: ReadProgress) -> Iterator[Row]:
    """Yield the rows of one source."""
    progress.begin(planned.raw_bytes)
    planned.source.notes += sorted({f"read as {member.encoding}" for member in planned.members if member.encoding})
    yield from planned.format.rows(planned.members, planned.source, config)


def _names(paths: list[Path]) -> list[str]:
    """Return the names of files in reports; the paths of those whose names are equal."""
    shown = [shown_path(path) for path in paths]
    names = [Path(each).name for each in shown]
    counts = Counter(names)
    return [
        sanitize_line(name if name and counts[name] == 1 else whole) for name, whole in zip(names, shown, strict=True)
    ]


def _plan(file_index: int, file: str, name: str, config: CorpusConfig, progress: ReadProgress) -> list[_SourcePlan]:
    """Return the sources of one entry of `config.files`. Raises `CorpusError` if it has no source."""
    if file == STANDARD_INPUT:
        raise CorpusError("Standard input can be read only once.", "Save it as a file and give that.")
    if not file:
        raise CorpusError("A file name is empty.", "Give a file, a folder, or - for standard input.")
    path = Path(os.path.expanduser(file))
    contents = find(path, progress, lambda name: is_wanted(name, config))
    if not contents.is_container:
        if config.member is not None:
            raise CorpusError(
                f"{shown_path(path)} is a single file, from which --member {sanitize_line(config.member, 60)} can't "
                "choose.",
                "Omit --member, or give a folder or an archive.",
            )
        member, found = detect(contents.members[0], path, config)
        if isinstance(found, Refusal):
            raise found.error(shown_path(path))
        _refuse_column(found, config.column, shown_path(path))
        source = _source(name, found, config)
        return [_SourcePlan(file_index, source, found, (replace(member, name=name),))]
    groups, left_out = group_members(path, contents, config)
    sources = []
    for group in groups:
        source = _source(sanitize_line(f"{name}: {group.name}"), group.format, config)
        _refuse_column(group.format, config.column, source.name)
        sources.append(_SourcePlan(file_index, source, group.format, group.members))
    sources[0].source.notes += notes_on_others(contents, left_out, groups[0])
    return sources


def _source(name: str, found: Format, config: CorpusConfig) -> Source:
    """Return a source with notes on the options that its format does not use."""
    options = () if found.has_columns else _COLUMN_OPTIONS
    unused = [each for each in options if getattr(config, each) is not None]
    return Source(name, found.name, [f"--{each.replace('_', '-')} is not used for {found.name}" for each in unused])


def _refuse_column(found: Format, column: str | None, name: str) -> None:
    """Raise `CorpusError` if --column is set and the format has no columns."""
    if column is not None and found is TEXT:
        raise CorpusError(
            f"{name} is read as plain text, which has no column {column}.", "Set the format: --format csv or jsonl."
        )
