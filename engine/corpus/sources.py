"""From a config to its sources with their rows, and notes on what is not read.

A file is one source. In a folder or archive, the parts of a network's archive are one, other files one each. Everything
else below the folder of a network's archive is left out, because it may be private, or other people's words, and so is
everything in the folder of an export that is refused. With --member the user's choice counts instead: a chosen file is
read by its own content, unless it is in a folder of private messages.

All files are checked before the first row is read, so that errors show at once. Never cleans a row.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from itertools import chain, groupby, islice
from pathlib import Path

from engine.config.corpus import STANDARD_INPUT, CorpusConfig
from engine.corpus.files.archives import ARCHIVE_SUFFIXES, COMPRESSED_SUFFIXES, NESTED, Contents, suffix_of
from engine.corpus.files.members import LINK_AWAY, find, shown_path
from engine.corpus.files.refused import EMPTY, Refusal, export_folders
from engine.corpus.files.streams import Member, ReadProgress
from engine.corpus.formats import closed_folders, detect, format_named, is_part, is_wanted, suffixes_read
from engine.corpus.readers.reader import Format, NoTextsError, Row, Source
from engine.errors import CorpusError
from engine.text import counted, listed, sanitize_line

EMBEDDED_NAME = "happy tweets (embedded, synthetic)"
_MAX_NAMES = 3


@dataclass(frozen=True)
class OpenedSource:
    """A source and the iterator over its rows."""

    file_index: int
    """Index into `config.files`; 0 for the embedded corpus."""
    source: Source
    members: Sequence[Member]
    rows: Iterator[Row]
    """Opens the members at the first row. Raises `CorpusError`."""


def open_sources(config: CorpusConfig, progress: ReadProgress) -> Iterator[OpenedSource]:
    """Yield all sources of a config in the order of its files, or the embedded corpus; reading updates `progress`.

    Raises `CorpusError` before the first source if any file can't be read.
    """
    with ExitStack() as embedded:
        if config.files:
            names = _names([Path(os.path.expanduser(file)) for file in config.files])
            files = enumerate(zip(config.files, names, strict=True))
            plans = [plan for index, (file, name) in files for plan in _plans(index, file, name, config, progress)]
        else:
            path = embedded.enter_context(resources.as_file(resources.files("assets") / "happy.csv"))
            members = find(path, progress, lambda _: False).members
            config = replace(config, column=None)
            plans = [_planned(0, EMBEDDED_NAME, format_named("csv"), members, config, progress)]
        progress.total_bytes = sum(member.raw_bytes for each in plans for member in each.members)
        for _, of_file in groupby(plans, key=lambda each: each.file_index):
            first, *others = of_file
            yield from _with_texts([first, *others]) if others else (first,)


def _with_texts(plans: Sequence[OpenedSource]) -> Iterator[OpenedSource]:
    """Yield the sources of a folder or archive that have texts; the first one's notes list the others.

    Raises `CorpusError` if some have no texts, and no other has a row.
    """
    notes: list[str] = []
    without: list[str] = []
    problems: dict[str, NoTextsError] = {}
    main: Source | None = None
    has_rows = False
    for each in plans:
        try:
            ahead = list(islice(each.rows, 1))
        except NoTextsError as error:
            problems[each.source.name] = error
            notes += each.source.notes
            without.append(f"{each.members[0].name} (without texts)")
            continue
        main, has_rows = main or each.source, has_rows or bool(ahead)
        yield replace(each, rows=_as_far_as_texts(chain(ahead, each.rows), each.source, problems))
    if problems and (not has_rows or len(problems) == len(plans)):
        if len(problems) == 1:
            raise next(iter(problems.values()))
        raise CorpusError(
            f"No texts are found in {listed(list(problems), _MAX_NAMES)}.",
            "Choose a file with --member, and set the column or key of its texts with --column.",
        )
    if main is not None:
        main.notes += [*notes, *([f"not read: {listed(without, _MAX_NAMES)}"] if without else [])]


def _as_far_as_texts(rows: Iterator[Row], source: Source, problems: dict[str, NoTextsError]) -> Iterator[Row]:
    """Yield the rows of one source among others; that it has no texts is a note, and added to `problems`."""
    try:
        yield from rows
    except NoTextsError as error:
        problems[source.name] = error
        source.notes.append(error.message)


def _names(paths: list[Path]) -> list[str]:
    """Return the names of files in reports; the paths of those whose names are equal."""
    shown = [shown_path(path) for path in paths]
    names = [Path(each).name for each in shown]
    counts = Counter(names)
    return [
        sanitize_line(name if name and counts[name] == 1 else whole) for name, whole in zip(names, shown, strict=True)
    ]


def _plans(file_index: int, file: str, name: str, config: CorpusConfig, progress: ReadProgress) -> list[OpenedSource]:
    """Return the sources of one entry of `config.files`. Raises `CorpusError` if it has no source."""
    if file == STANDARD_INPUT:
        raise CorpusError("Standard input can be read only once.", "Save it as a file and give that.")
    if not file:
        raise CorpusError("A file name is empty.", "Give a file, a folder, or - for standard input.")
    path = Path(os.path.expanduser(file))
    shown = shown_path(path)
    contents = find(path, progress, partial(is_wanted, config=config))
    if not contents.is_container and config.member is not None:
        raise CorpusError(
            f"{shown} is a single file, from which --member {sanitize_line(config.member, 60)} can't choose.",
            "Omit --member, or give a folder or an archive.",
        )
    detected = [detect(member, path, config) for member in contents.members]
    if not contents.is_container:
        [(member, found)] = detected
        if isinstance(found, Refusal):
            raise found.error(shown)
        _refuse_column(found, config, shown)
        return [_planned(file_index, name, found, [replace(member, name=name)], config, progress)]
    groups, skipped = _groups(path, contents, detected, config)
    plans = []
    for found, members in groups:
        more = f" + {len(members) - 1} more" if len(members) > 1 else ""
        of_group = sanitize_line(f"{name}: {members[0].name}{more}")
        _refuse_column(found, config, of_group)
        plans.append(_planned(file_index, of_group, found, members, config, progress))
    notes = [f"not read: {listed(skipped, _MAX_NAMES)}"] if skipped else []
    if num_unsupported := contents.unsupported.counts.total():
        never_read = f" ({groups[0][0].never_read} never are)" if groups[0][0].never_read else ""
        notes.append(f"{counted(num_unsupported, 'other file')} not opened{never_read}")
    plans[0].source.notes += notes
    return plans


def _refuse_column(found: Format, config: CorpusConfig, shown: str) -> None:
    """Raise `CorpusError` if --column is set and the format has no columns."""
    if config.column is not None and found.name == "text":
        what = f"{shown} is read as plain text, which has no column {config.column}."
        raise CorpusError(what, "Set the format: --format csv or jsonl.")


def _planned(
    file_index: int, name: str, found: Format, members: Sequence[Member], config: CorpusConfig, progress: ReadProgress
) -> OpenedSource:
    """Return a source with notes on the options that its format does not use."""
    options = {} if found.has_columns else {"--column": config.column, "--label-column": config.label_column}
    notes = [f"{option} is not used for {found.name}" for option, value in options.items() if value is not None]
    source = Source(name, found.name, notes)

    def rows() -> Iterator[Row]:
        progress.begin(sum(member.raw_bytes for member in members))
        source.notes += sorted({f"read as {member.encoding}" for member in members if member.encoding})
        yield from found.rows(members, source, config)

    return OpenedSource(file_index, source, members, rows())


def _groups(
    path: Path, contents: Contents, detected: Sequence[tuple[Member, Format | Refusal]], config: CorpusConfig
) -> tuple[list[tuple[Format, list[Member]]], list[str]]:
    """Return the members of each source, at least one, and phrases for the skipped files.

    Raises `CorpusError` if no file is read.
    """
    refused = {member.name: found for member, found in detected if isinstance(found, Refusal)}
    is_forced = config.format != "auto" or config.member is not None
    names = [member.name for member in contents.members]
    exports = export_folders(names, refused, contents.unsupported, is_forced=is_forced)
    roots = [
        found.root_of(member.name) if isinstance(found, Format) and found.root_of is not None else None
        for member, found in detected
    ]
    archive_folders = {root for root in roots if root is not None} | closed_folders(contents.unsupported)
    archives: dict[tuple[Format, str], list[Member]] = {}
    single: list[tuple[Format, list[Member]]] = []
    skipped = list(contents.skipped)
    for (member, found), root in zip(detected, roots, strict=True):
        if isinstance(found, Refusal):
            skipped.append(f"{member.name} ({found.what})")
        elif root is not None:
            archives.setdefault((found, root), []).append(member)
        elif member.name.startswith(tuple(exports)) or not _is_read_alone(member.name, archive_folders, config):
            skipped.append(member.name)
        else:
            single.append((found, [member]))
    groups = [(found, sorted(parts, key=found.main_first)) for (found, _), parts in archives.items()] + single
    if not groups:
        raise _nothing_readable(path, contents, skipped, refused, exports, config)
    return groups, skipped


def _is_read_alone(name: str, archive_folders: Collection[str], config: CorpusConfig) -> bool:
    """Return whether a file is read that is no part of a network's archive.

    In the folders of such archives, only a part that --format has read in another format is; elsewhere no script of X's
    archives.
    """
    if config.member is not None:
        return True
    if name.startswith(tuple(archive_folders)):
        return config.format != "auto" and is_part(name)
    return suffix_of(name) in suffixes_read(config)


def _nothing_readable(
    path: Path,
    contents: Contents,
    skipped: Sequence[str],
    refused: Mapping[str, Refusal],
    exports: Mapping[str, Refusal],
    config: CorpusConfig,
) -> CorpusError:
    """Return the error of a folder or archive without a readable file."""
    if exports and not (refused and config.member):
        return next(iter(exports.values())).error(shown_path(path))
    if len(set(refused.values())) == 1 and EMPTY not in refused.values():
        [(name, refusal), *_] = refused.items()
        return refusal.error(f"{shown_path(path)}: {name}")
    kind = "a folder" if path.is_dir() else "an archive"
    chosen = f" that matches --member {sanitize_line(config.member, 60)}" if config.member is not None else ""
    found = f"; found but not read: {listed(skipped, _MAX_NAMES)}" if skipped else ""
    found += f"; {'also' if found else 'it'} has {contents.unsupported}" if contents.unsupported.counts else ""
    what = f"{shown_path(path)} is {kind} without a readable file{chosen}{found}."
    if chosen and not skipped:
        return CorpusError(
            what, "The pattern is compared with a file's path inside, or with its name; * stands for any characters."
        )
    if skipped and all(each.endswith(LINK_AWAY) for each in skipped):
        return CorpusError(what, "Give the folder that holds their targets, or one that holds both.")
    if skipped and all(each.endswith(NESTED) for each in skipped):
        return CorpusError(what, "Extract it and give the archive in it.")
    kinds = ", ".join(suffixes_read(config))
    packed = f", archives ({', '.join(ARCHIVE_SUFFIXES)}) and files compressed as {', '.join(COMPRESSED_SUFFIXES)}"
    pattern = " --member PATTERN opens files of other names." if contents.unsupported.counts and not chosen else ""
    return CorpusError(what, f"Supported: {kinds}{packed if path.is_dir() else ''}.{pattern}")
