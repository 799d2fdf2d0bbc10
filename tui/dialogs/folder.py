"""The listing of a folder in a dialog: its entries, those that match what is typed, and typed paths."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.corpus.files.archives import ARCHIVE_SUFFIXES, COMPRESSED_SUFFIXES
from engine.text import sanitize_line
from tui.text.numbers import format_size

EntryKind = Literal["above", "here", "folder", "tweets", "other"]
"""The parent folder, this folder as a whole, a subfolder, a file that may contain tweets, any other file."""
_STYLES: dict[EntryKind, str] = {
    "above": "$text-primary",
    "here": "$text-primary",
    "folder": "$text-primary",
    "tweets": "$foreground",
    "other": "italic",
}
"""Styles of the entries by kind, in display order."""
_ORDER = list(_STYLES)
_MAX_SHOWN = 500
"""Longer listings are cut; typing filters them."""
_SIZE_CELLS = 8


@dataclass(frozen=True)
class FolderEntry:
    """One row of a folder listing."""

    path: Path
    kind: EntryKind
    num_bytes: int = 0

    @property
    def opens_folder(self) -> bool:
        """Whether choosing the entry lists another folder."""
        return self.kind in ("above", "folder")

    @property
    def is_inside(self) -> bool:
        """Whether the entry is inside the listed folder."""
        return self.kind not in ("above", "here")

    def is_called(self, typed: str) -> bool:
        """Return whether its name, or what the screen can show of it, is `typed`."""
        name = self.path.name
        return name == typed or (not name.isprintable() and sanitize_line(name) == typed)


class FileList(OptionList, can_focus=False):
    """Shows the entries of a folder with their sizes, one highlighted; a click selects. Its dialog has the keys."""

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._entries: list[FolderEntry] = []

    def show(self, entries: list[FolderEntry], highlighted: int | None) -> None:
        self._entries = entries[:_MAX_SHOWN]
        options = [Option(_line(entry)) for entry in self._entries]
        if num_more := len(entries) - len(self._entries):
            options.append(Option(f"{'':>{_SIZE_CELLS}}  {num_more:,} more: type to filter", disabled=True))
        self.set_options(options)
        self.highlighted = None if highlighted is None else min(highlighted, _MAX_SHOWN - 1)

    def on_resize(self) -> None:
        """Scroll to the highlighted entry when the hints below have grown."""
        self.scroll_to_highlight()

    @property
    def chosen(self) -> FolderEntry | None:
        return None if self.highlighted is None else self._entries[self.highlighted]


def _line(entry: FolderEntry) -> Content:
    name, size = sanitize_line(entry.path.name), ""
    match entry.kind:
        case "above":
            name = "..  parent folder"
        case "here":
            name = ".   this folder, all files"
        case "folder":
            name += "/"
        case _:
            size = format_size(entry.num_bytes)
    return Content.assemble(f"{size:>{_SIZE_CELLS}}  ", (name, _STYLES[entry.kind]))


def list_folder(folder: Path) -> list[FolderEntry]:
    """Return the entries of a folder in display order, without pipes and devices. Blocks; raises `OSError`."""
    with os.scandir(folder) as found:
        entries = [entry for each in found if (entry := _entry(each)) is not None]
    entries.sort(key=lambda entry: (_ORDER.index(entry.kind), entry.path.name.casefold()))
    above = [] if folder.parent == folder else [FolderEntry(folder.parent, "above")]
    return [*above, FolderEntry(folder, "here"), *entries]


@functools.cache
def _suffixes_of_tweets() -> frozenset[str]:
    """Return the suffixes in lower case of files that may contain tweets."""
    from engine.corpus.formats import FORMATS  # imports every reader, which the first screen does not need

    suffixes = {suffix for each in FORMATS for suffix in each.suffixes}
    return frozenset(suffixes.union(ARCHIVE_SUFFIXES, COMPRESSED_SUFFIXES))


def _entry(found: os.DirEntry[str]) -> FolderEntry | None:
    """Return an entry; None if it can't be read as a file."""
    path = Path(found.path)
    try:
        if found.is_dir():
            return FolderEntry(path, "folder")
        if not found.is_file():
            return None
        kind: EntryKind = "tweets" if path.suffix.casefold() in _suffixes_of_tweets() else "other"
        return FolderEntry(path, kind, found.stat().st_size)
    except OSError:  # deleted meanwhile, or a loop of links
        return None


def entry_at(folder: Path, name: str) -> FolderEntry | None:
    """Return the entry with exactly this name, readable or not; None if there is none. Blocks."""
    if name in {".", ".."}:
        return FolderEntry(folder, "here") if name == "." else FolderEntry(folder.parent, "above")
    path = folder / name
    if not os.path.lexists(path):
        return None
    return FolderEntry(path, "folder" if os.path.isdir(path) else "other")


def matching(entries: Iterable[FolderEntry], typed: str) -> list[FolderEntry]:
    """Return the entries whose name contains `typed`, those that begin with it first; hidden ones need its dot.

    If nothing is typed, parent and current folder are included.
    """
    needle = typed.casefold()

    def fits(entry: FolderEntry) -> bool:
        name = entry.path.name
        return needle in name.casefold() and (typed.startswith(".") or not name.startswith("."))

    found = [entry for entry in entries if (fits(entry) if entry.is_inside else not typed)]
    return sorted(found, key=lambda entry: bool(typed) and not entry.path.name.casefold().startswith(needle))


def best_match(entries: list[FolderEntry], typed: str, default: Path | None, *, only_exact: bool = False) -> int | None:
    """Return the index of the entry to highlight: an exact match, or unless `only_exact` the first entry.

    If nothing is typed, it is `default` or the first entry inside the folder.
    """
    is_wanted = [entry.is_inside and (entry.is_called(typed) if typed else entry.path == default) for entry in entries]
    if not entries or (typed and only_exact and not any(is_wanted)):
        return None
    ranks = [(not is_match, not entry.is_inside) for entry, is_match in zip(entries, is_wanted, strict=True)]
    return ranks.index(min(ranks))


def split_typed(text: str) -> tuple[Path, str]:
    """Return the folder of a typed path, relative to the working directory, and the typed part of the name."""
    expanded = os.path.expanduser(text)
    head, _, rest = expanded.rpartition("/")
    is_root = head == "" and expanded.startswith("/")
    return Path(os.path.abspath("/" if is_root else head or ".")), rest


def after_last_root(text: str) -> str:
    """Return a typed path from the last `//` or `/~/` on, which start over at the root or home folder."""
    for mark in ("//", "/~/"):
        text = text[text.rfind(mark) + 1 :] if mark in text else text
    return text


def display_path(path: Path, *, is_folder: bool) -> str:
    """Return a path as a user would type it: `~` for the home folder, a trailing slash for folders."""
    text = str(path)
    home = os.path.expanduser("~")
    if home != "/" and (text == home or text.startswith(home + "/")):
        text = "~" + text.removeprefix(home)
    return text + "/" if is_folder and not text.endswith("/") else text
