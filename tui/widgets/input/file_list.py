"""`FileList`: a folder listing with sizes, files without tweets dimmed. Never handles a key: its dialog does."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.text import sanitize_line
from tui.files.folder_listing import FolderEntry
from tui.formatting.numbers import format_size

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
