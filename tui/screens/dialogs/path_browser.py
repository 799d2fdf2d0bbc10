"""The upper part of the dialog for other tweets: a line for a path, and the folder that it leads to below.

Options may follow the path in the line; folder and entries are those of the path alone.

Folders are read on threads. A key may act before the characters typed before it have been applied, so each action that
uses the path applies the line first.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Input

from engine.text import sanitize_line
from tui.files.folder_listing import (
    FolderEntry,
    after_last_root,
    best_match,
    display_path,
    folder_part,
    list_folder,
    matching,
    split_typed,
)
from tui.files.typed_options import split_options
from tui.process.threads import on_own_thread
from tui.screens.dialogs.base import Answer, Dialog
from tui.widgets.dialog_hints import DialogHints
from tui.widgets.input.file_list import FileList
from tui.widgets.input.line_input import PathInput

CHECK_GROUP = "check"
"""Of the workers that check a path."""
State = Literal["choosing", "checking", "ready"]
KEYS_LINES: dict[State, str] = {
    "choosing": "enter open · tab fill · esc close",
    "checking": "esc stop checking",
    "ready": "enter start · esc back",
}


class PathBrowser(Dialog[Answer]):
    """Type a path, complete it, and move through the folder that it leads to."""

    KEYS_LINE = KEYS_LINES["choosing"]

    def __init__(self, title: str, start: Path) -> None:
        """Prefer the entry of the path `start` in its folder."""
        super().__init__(title)
        self._start = start
        self._state: State = "choosing"
        self._applied = ""
        """The line when it was last applied; later characters have no effect yet."""
        self._is_typed = False
        """Whether the user typed the line, as opposed to completion or a drop."""
        self._folder: Path = start
        self._folder_text: str | None = None
        """The part of the line that leads to `_folder`, whose entries are `_entries`."""
        self._entries: list[FolderEntry] = []
        self._listed: str | None = None
        """The line that the list matches."""
        self._is_moved = False
        """Whether the user moved the highlight."""
        self._is_tab_waiting = False
        """Whether tab was pressed before the list matched the line."""

    def compose_body(self) -> ComposeResult:
        """Show the line, the folder, and hints on the path."""
        yield PathInput(placeholder="a file or folder, then options; ~ is your home", select_on_focus=False)
        yield FileList()
        yield DialogHints(id="hints")

    @property
    def _line(self) -> PathInput:
        return self.query_one(PathInput)

    @property
    def _applied_path(self) -> str:
        """The path in the applied line."""
        return split_options(self._applied)[0]

    @property
    def _applied_options(self) -> str:
        """The options in the applied line, with the space before them."""
        return split_options(self._applied)[1]

    @property
    def _list(self) -> FileList:
        return self.query_one(FileList)

    @property
    def _hints(self) -> DialogHints:
        return self.query_one(DialogHints)

    def _set_state(self, state: State) -> None:
        """Change the state, and clear the hints."""
        self._state = state
        self.query_one("#box").border_subtitle = KEYS_LINES[state]
        self._hints.show("")

    def _browse(self, folder: Path) -> None:
        """Show another folder."""
        self._set_line(display_path(folder, is_folder=True))
        self._set_state("choosing")
        self._read_folder(folder, self._line.value)

    def _set_path(self, path: Path, options: str = "") -> None:
        """Put the path of a file and its options into the line, and show its folder."""
        self._set_line(display_path(path, is_folder=False) + options)
        self._show_folder()

    def _set_line(self, text: str) -> None:
        """Put a path into the line, its end in view."""
        self._applied = value = sanitize_line(text)
        self._is_typed = False
        self._line.value = value
        self._line.cursor_position = len(value)

    @on(Input.Changed)
    def _apply_line(self) -> None:
        """Show the entries that match the line; do nothing if they are shown already."""
        path, options = split_options(self._line.value)
        text = after_last_root(path) + options
        if text != self._line.value:
            self._line.value = text
        if text != self._applied:
            self._applied = text
            self._is_typed = True
            self._is_tab_waiting = False
            self.workers.cancel_group(self, CHECK_GROUP)
            self._set_state("choosing")
            self._show_folder()

    def _show_folder(self) -> None:
        """Show the folder that the applied path leads to, and those of its entries that match."""
        path = self._applied_path
        folder_text = folder_part(path)
        if folder_text == self._folder_text:
            self.workers.cancel_group(self, "folder")
            self._show_entries()
        else:
            self._read_folder(split_typed(path)[0], folder_text)

    @work(exclusive=True, group="folder")
    async def _read_folder(self, folder: Path, folder_text: str) -> None:
        """Read a folder on a thread and show it; `folder_text` is the part of the line that leads to it."""
        try:
            entries = await on_own_thread(partial(list_folder, folder))
        except OSError as error:
            entries = []
            if self._state == "choosing":
                self._hints.show(f"{display_path(folder, is_folder=True)}: {error.strerror or error}.")
        self._folder, self._folder_text, self._entries = folder, folder_text, entries
        self._show_entries()

    def _show_entries(self) -> None:
        """Show the entries that match a typed name; next to a name that was not typed, all entries."""
        name = self._applied_path.rpartition("/")[2]
        fitting = matching(self._entries, name if self._is_typed else "")
        self._list.show(fitting, best_match(fitting, name, self._start, only_exact=not self._is_typed))
        self._listed = self._applied
        self._is_moved = False
        if self._is_tab_waiting:
            self._is_tab_waiting = False
            self.call_later(self._complete)

    def _row(self) -> FolderEntry | None:
        """Return the highlighted entry, if the list matches the line."""
        return self._list.chosen if self._listed == self._applied else None

    def action_move(self, action: str) -> None:
        """Move the highlight by an action of the list."""
        self._apply_line()
        if self._state != "checking" and self._listed == self._applied:
            self._set_state("choosing")
            getattr(self._list, f"action_{action}")()
            self._is_moved = True

    def action_complete(self) -> None:
        """Complete the path to the highlighted entry, once the list matches the line."""
        self._apply_line()
        if self._state != "choosing":
            return
        if self._listed == self._applied:
            self._complete()
        else:
            self._is_tab_waiting = True

    def _complete(self) -> None:
        entry = self._row()
        if entry is None:
            return
        if entry.opens_folder:
            self._browse(entry.path)
        elif entry.is_inside:
            self._set_path(entry.path, self._applied_options)
