"""Folder listings for a file dialog, and completion of a typed path. Never imports a widget.

`FileList`: a folder listing with sizes, files without tweets dimmed. Never handles a key: its dialog does.

`DialogHints`: up to three lines below a dialog's input: the hint, details, a sample. Never checks the input.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.corpus.files.archive_entries import ARCHIVE_SUFFIXES, COMPRESSED_SUFFIXES
from engine.text import sanitize_line
from tui.text.numbers import format_size

EntryKind = Literal["above", "here", "folder", "tweets", "other"]
"""The parent folder, this folder as a whole, a subfolder, a file that may contain tweets, any other file."""

_ORDER: dict[EntryKind, int] = {"above": 0, "here": 1, "folder": 2, "tweets": 3, "other": 4}


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


def list_folder(folder: Path) -> list[FolderEntry]:
    """Return the entries of a folder in display order, without pipes and devices. Raises `OSError`."""
    with os.scandir(folder) as found:
        entries = [entry for each in found if (entry := _entry(each)) is not None]
    entries.sort(key=lambda entry: (_ORDER[entry.kind], entry.path.name.casefold()))
    above = [] if folder.parent == folder else [FolderEntry(folder.parent, "above")]
    return [*above, FolderEntry(folder, "here"), *entries]


@functools.cache
def _suffixes_of_tweets() -> frozenset[str]:
    """Return the suffixes in lower case of files that may contain tweets."""
    from engine.corpus.ingest.formats import FORMATS  # imports every reader, which the first screen does not need

    suffixes = {suffix for each in FORMATS.values() for suffix in each.suffixes}
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
    """Return the entry with exactly this name, readable or not; None if there is none."""
    if name in {".", ".."}:
        return FolderEntry(folder, "here") if name == "." else FolderEntry(folder.parent, "above")
    path = folder / name
    if not os.path.lexists(path):
        return None
    return FolderEntry(path, "folder" if os.path.isdir(path) else "other")


def matching(entries: Iterable[FolderEntry], typed: str) -> list[FolderEntry]:
    """Return the entries whose name contains `typed`, prefix matches first.

    Hidden entries need a leading dot. If nothing is typed, parent and current folder are included.
    """
    needle = typed.casefold()
    if not typed:
        return [entry for entry in entries if not (entry.is_inside and entry.path.name.startswith("."))]
    matches = [
        entry
        for entry in entries
        if entry.is_inside
        and needle in entry.path.name.casefold()
        and (typed.startswith(".") or not entry.path.name.startswith("."))
    ]
    return sorted(matches, key=lambda entry: not entry.path.name.casefold().startswith(needle))


def best_match(entries: list[FolderEntry], typed: str, default: Path | None, *, only_exact: bool = False) -> int | None:
    """Return the index of the entry to highlight: an exact match, or unless `only_exact` the first entry.

    If nothing is typed, it is `default` or the first entry inside the folder.
    """
    is_wanted = [entry.is_inside and (_has_name(entry, typed) if typed else entry.path == default) for entry in entries]
    if not entries or (typed and only_exact and not any(is_wanted)):
        return None
    ranks = [(not is_match, not entry.is_inside) for entry, is_match in zip(entries, is_wanted, strict=True)]
    return ranks.index(min(ranks))


def _has_name(entry: FolderEntry, typed: str) -> bool:
    """Return whether an entry's name, or what the screen can show of it, is `typed`."""
    name = entry.path.name
    return name == typed or (not name.isprintable() and sanitize_line(name) == typed)


def folder_part(text: str) -> str:
    """Return the folder part of a typed path, including its slash."""
    return text[: text.rfind("/") + 1]


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


MAX_SHOWN = 500
"""Longer listings are cut; typing filters them."""
_SIZE_CELLS = 8


class FileList(OptionList, can_focus=False):
    """Shows the entries of a folder, one highlighted. A click selects an entry."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "file-list--folder",
        "file-list--tweets",
        "file-list--other",
        "file-list--size",
    }

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._entries: list[FolderEntry] = []

    def show(self, entries: list[FolderEntry], highlighted: int | None) -> None:
        """Show entries."""
        self._entries = entries[:MAX_SHOWN]
        options = [Option(self._line(entry)) for entry in self._entries]
        if len(entries) > MAX_SHOWN:
            more = f"{'':>{_SIZE_CELLS}}  {len(entries) - MAX_SHOWN:,} more: type to filter"
            options.append(Option(more, disabled=True))
        self.set_options(options)
        self.highlighted = None if highlighted is None else min(highlighted, MAX_SHOWN - 1)

    def on_resize(self) -> None:
        """Keep the highlighted entry in view when the hints below grow."""
        self.scroll_to_highlight()

    @property
    def chosen(self) -> FolderEntry | None:
        """The highlighted entry."""
        index = self.highlighted
        return self._entries[index] if index is not None and index < len(self._entries) else None

    def _line(self, entry: FolderEntry) -> Content:
        """Return an entry as a line."""
        match entry.kind:
            case "above":
                size, name, kind = "", "..  parent folder", "folder"
            case "here":
                size, name, kind = "", ".   this folder, all files", "folder"
            case "folder":
                size, name, kind = "", sanitize_line(entry.path.name) + "/", "folder"
            case kind:
                size, name = format_size(entry.num_bytes), sanitize_line(entry.path.name)
        column = Content.styled(f"{size:>{_SIZE_CELLS}}  ", self.get_visual_style("file-list--size"))
        return column + Content.styled(name, self.get_visual_style(f"file-list--{kind}"))


Tone = Literal["plain", "error", "ready"]


class DialogHints(Vertical):
    """Up to three sentences, coloured by `tone`; an empty one takes no line."""

    def compose(self) -> ComposeResult:
        """Lay out the lines, empty."""
        for name in ("hint", "details", "sample"):
            yield Static(markup=False, id=name)

    def show(self, hint: str, details: str = "", sample: str = "", tone: Tone = "plain") -> None:
        """Replace the sentences."""
        self.set_class(tone == "error", "-error")
        self.set_class(tone == "ready", "-ready")
        for line, text in zip(self.query(Static), (hint, details, sample), strict=True):
            line.update(Content(sanitize_line(text)))
            line.display = bool(text)
