"""Groups the members of a folder or archive into sources: the parts of a network's archive are one, others one each.

Everything else below the folder of a network's archive is left out, because it may be private, or other people's words,
and so is everything in the folder of an export that is refused. With --member the user's choice counts instead: a
chosen file is read by its own content, unless it is in a folder of private messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.config.corpus import CorpusConfig
from engine.corpus.files.archive_entries import ARCHIVE_SUFFIXES, COMPRESSED_SUFFIXES, Contents, FoundMember, suffix_of
from engine.corpus.files.exports import closed_folder, exports_at, may_be_messages
from engine.corpus.files.refused import EMPTY, Refusal
from engine.corpus.files.standard_input import shown_path
from engine.corpus.files.walk import LINK_AWAY
from engine.corpus.formats import closed_folders, detect, is_part, suffixes_read
from engine.corpus.readers.reader import Format
from engine.errors import CorpusError
from engine.text import sanitize_line

_MAX_NAMES = 3


@dataclass(frozen=True)
class Group:
    """Members of a folder or archive that form one source."""

    format: Format
    members: tuple[FoundMember, ...]

    @property
    def name(self) -> str:
        """The first member and the number of others."""
        more = f" + {len(self.members) - 1} more" if len(self.members) > 1 else ""
        return self.members[0].name + more


def group_members(path: Path, contents: Contents, config: CorpusConfig) -> tuple[list[Group], list[str]]:
    """Return the groups to read, at least one, and phrases for the files that are left out. Raises `CorpusError`."""
    detected = [detect(member, path, config) for member in contents.members]
    refused = {member.name: found for member, found in detected if isinstance(found, Refusal)}
    exports = _exports(contents, refused, config)
    archives: dict[tuple[Format, str], list[FoundMember]] = {}
    for member, found in detected:
        if not isinstance(found, Refusal) and (root := _archive_root(member, found)) is not None:
            archives.setdefault((found, root), []).append(member)
    groups = [_archive_group(each, members) for (each, _), members in archives.items()]
    folders = tuple({folder for _, folder in archives} | closed_folders(contents.others))
    grouped = {id(member) for group in groups for member in group.members}
    left_out = list(contents.left_out)
    for member, found in detected:
        if id(member) in grouped:
            continue
        if isinstance(found, Refusal):
            left_out.append(f"{member.name} ({found.what})")
        elif member.name.startswith(tuple(exports)) or not _is_read_alone(member.name, folders, config):
            left_out.append(member.name)
        else:
            groups.append(Group(found, (member,)))
    if not groups:
        raise _nothing_readable(path, contents, left_out, refused, exports, config)
    return groups, left_out


def _exports(contents: Contents, refused: dict[str, Refusal], config: CorpusConfig) -> dict[str, Refusal]:
    """Return the folders of refused exports, by the paths of all files and by the content of the `refused` ones."""
    names = [each.name for each in contents.members if each.name in refused or not may_be_messages(each.name)]
    is_forced = config.format != "auto" or config.member is not None
    folders = exports_at([*names, *contents.others], is_forced=is_forced)
    for name, refusal in refused.items():
        if (folder := closed_folder(refusal, name, is_forced=is_forced)) is not None:
            folders.setdefault(folder, refusal)
    return folders


def _archive_root(member: FoundMember, found: Format) -> str | None:
    """Return the folder of the archive of which a member is a part; None if it is no part."""
    return found.root_of(member.name) if found.root_of is not None else None


def _archive_group(found: Format, parts: list[FoundMember]) -> Group:
    """Return the source of an archive; its main parts, which name it, are first."""
    return Group(found, tuple(sorted(parts, key=found.main_first)))


def _is_read_alone(name: str, folders: tuple[str, ...], config: CorpusConfig) -> bool:
    """Return whether a file is read that is no part of a network's archive; `folders` are those of the archives.

    In their folders, only a part that --format has read in another format is; elsewhere no script of X's archives.
    """
    if config.member is not None:
        return True
    if name.startswith(folders):
        return config.format != "auto" and is_part(name)
    return suffix_of(name) in suffixes_read(config)


def notes_on_others(contents: Contents, left_out: list[str], first: Group) -> list[str]:
    """Return the notes on the files of a folder or archive that are not read; `first` is its first source."""
    notes = [f"not read: {listed(left_out)}"] if left_out else []
    if num_others := contents.others.counts.total():
        never_read = first.format.never_read
        note = f"{num_others:,} other file{'' if num_others == 1 else 's'} not opened"
        notes.append(f"{note} ({never_read} never are)" if never_read else note)
    return notes


def _nothing_readable(
    path: Path,
    contents: Contents,
    left_out: list[str],
    refused: dict[str, Refusal],
    exports: dict[str, Refusal],
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
    found = f"; found but not read: {listed(left_out)}" if left_out else ""
    found += f"; {'also' if found else 'it'} has {contents.others}" if contents.others.counts else ""
    what = f"{shown_path(path)} is {kind} without a readable file{chosen}{found}."
    if chosen and not left_out:
        return CorpusError(
            what, "The pattern is compared with a file's path inside, or with its name; * stands for any characters."
        )
    if left_out and all(each.endswith(LINK_AWAY) for each in left_out):
        return CorpusError(what, "Give the folder that holds their targets, or one that holds both.")
    kinds = ", ".join(suffixes_read(config))
    packed = f", archives ({', '.join(ARCHIVE_SUFFIXES)}) and files compressed as {', '.join(COMPRESSED_SUFFIXES)}"
    others = " --member PATTERN opens files of other names." if contents.others.counts and not chosen else ""
    return CorpusError(what, f"Supported: {kinds}{packed if path.is_dir() else ''}.{others}")


def listed(phrases: list[str]) -> str:
    """Return the first few phrases and the number of the others."""
    more = f" and {len(phrases) - _MAX_NAMES:,} more" if len(phrases) > _MAX_NAMES else ""
    return ", ".join(phrases[:_MAX_NAMES]) + more
