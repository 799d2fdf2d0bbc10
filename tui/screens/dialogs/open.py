"""Choose a file, folder or archive of tweets for a new run.

One line to type a path in, and the folder that it leads to below. What is chosen is looked at before anything happens:
what can't be used is told here, and the run goes on as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Input, OptionList

from engine.corpus.ingest.quick_check import CorpusPreview
from engine.errors import TweetgenError
from engine.text import harmless
from tui.files.folder_listing import (
    FolderEntry,
    after_last_root,
    best_match,
    display_path,
    entry_at,
    folder_part,
    list_folder,
    matching,
    split_typed,
)
from tui.formatting.corpus_preview import fact_line, sample_line
from tui.process.threads import on_own_thread
from tui.run.error_report import to_tweetgen_error
from tui.screens.dialogs.base import Dialog
from tui.widgets.dialog_hints import DialogHints
from tui.widgets.input.file_list import FileList
from tui.widgets.input.path_input import PathInput

Check = Callable[[Path], CorpusPreview | None]
"""Looks at tweets; raises the `TweetgenError` that a run on them would end with. Called on a thread."""
_State = Literal["choosing", "looking", "ready"]
_KEYS_LINES: dict[_State, str] = {
    "choosing": "enter open · tab fill · esc close",
    "looking": "esc stop looking",
    "ready": "enter start · esc back",
}


class OpenDialog(Dialog[Path]):
    """Answer with the path of tweets that can be used, after enter was pressed once more."""

    KEYS_LINE = _KEYS_LINES["choosing"]

    def __init__(self, check: Check, start: Path, tell_outcome: Callable[[], str], *, is_dropped: bool = False) -> None:
        """Begin in the folder `start`, or at the file; one that was dropped is looked at at once.

        `tell_outcome` says in a sentence what will become of the run before.
        """
        super().__init__("Open other tweets")
        self._check = check
        self._start = start
        self._tell_outcome = tell_outcome
        self._is_dropped = is_dropped
        self._state: _State = "choosing"
        self._ready_path: Path | None = None
        self._followed = ""
        """The line as it was when it was last followed: what was typed since is not answered yet."""
        self._is_typed = False
        """Whether a person typed the line, rather than its being set here."""
        self._folder: Path = start
        self._folder_text: str | None = None
        """The part of the line that leads to `_folder`, whose entries are these."""
        self._entries: list[FolderEntry] = []
        self._listed: str | None = None
        """The line that the list shown belongs to."""
        self._is_moved = False
        """Whether a person moved to the row that is highlighted."""
        self._is_tab_waiting = False
        """Whether tab was pressed before there was a list of what is typed."""

    def compose_body(self) -> ComposeResult:
        """Show the line to type in, the folder, and what is to be said of the path."""
        yield PathInput(placeholder="a file or folder; ~ is your home", select_on_focus=False)
        yield FileList()
        yield DialogHints(id="advice-area")

    def on_mount(self) -> None:
        """Show the first folder."""
        if self._is_dropped:
            self._look_at(self._start)
        else:
            self._browse(self._start if self._start.is_dir() else self._start.parent)

    @property
    def _line(self) -> PathInput:
        return self.query_one(PathInput)

    @property
    def _list(self) -> FileList:
        return self.query_one(FileList)

    @property
    def _hints(self) -> DialogHints:
        return self.query_one(DialogHints)

    def _browse(self, folder: Path) -> None:
        """Show another folder."""
        self._set_line(display_path(folder, is_folder=True))
        self._turn("choosing")
        self._read_folder(folder, self._line.value)

    def _set_line(self, text: str) -> None:
        """Put a path into the line, its end in view."""
        self._followed = value = harmless(text)
        self._is_typed = False
        self._line.value = value
        self._line.cursor_position = len(value)

    @on(Input.Changed)
    def _follow(self) -> None:
        """Show what fits the path as it is typed by now; a second time does nothing.

        A key may be acted on before the ones typed before it were followed, so whatever acts on the path follows first.
        """
        text = after_last_root(self._line.value)
        if text != self._line.value:
            self._line.value = text
        if text != self._followed:
            self._followed = text
            self._is_typed = True
            self._is_tab_waiting = False
            self.workers.cancel_group(self, "look")
            self._turn("choosing")
            self._show_folder_of(text)

    def _show_folder_of(self, text: str) -> None:
        """Show the folder that a path leads to, and those of its files that fit."""
        folder_text = folder_part(text)
        if folder_text == self._folder_text:
            self.workers.cancel_group(self, "folder")
            self._show_entries()
        else:
            self._read_folder(split_typed(text)[0], folder_text)

    @work(exclusive=True, group="folder")
    async def _read_folder(self, folder: Path, folder_text: str) -> None:
        """Read a folder on a thread and show it; `folder_text` is what leads to it in the line."""
        try:
            entries = await on_own_thread(partial(list_folder, folder))
        except OSError as error:
            entries = []
            if self._state == "choosing":
                self._hints.show(f"{display_path(folder, is_folder=True)}: {error.strerror or error}.")
        self._folder, self._folder_text, self._entries = folder, folder_text, entries
        self._show_entries()

    def _show_entries(self) -> None:
        """Show the entries that fit what was typed of a name; all of them beside a name that was put into the line."""
        name = self._followed.rpartition("/")[2]
        fitting = matching(self._entries, name if self._is_typed else "")
        self._list.show(fitting, best_match(fitting, name, self._start, only_exact=not self._is_typed))
        self._listed = self._followed
        self._is_moved = False
        if self._is_tab_waiting:
            self._is_tab_waiting = False
            self.call_later(self._complete)

    def _row(self) -> FolderEntry | None:
        """Return the entry that is highlighted, if the list is that of the path as it is typed."""
        return self._list.chosen if self._listed == self._followed else None

    def action_move(self, action: str) -> None:
        """Move through the list."""
        self._follow()
        if self._state != "looking" and self._listed == self._followed:
            self._turn("choosing")
            getattr(self._list, f"action_{action}")()
            self._is_moved = True

    def action_complete(self) -> None:
        """Complete the path by the entry that is highlighted, once the list is that of what is typed."""
        self._follow()
        if self._state != "choosing":
            return
        if self._listed == self._followed:
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
            self._set_line(display_path(entry.path, is_folder=False))
            self._show_folder_of(self._followed)

    @on(Input.Submitted)
    def _enter(self, event: Input.Submitted) -> None:
        """Open what was typed when enter was pressed; once that was found good, answer."""
        if event.value != self._line.value:
            self._line.value = event.value
        self._follow()
        if self._ready_path is not None:
            self.dismiss(self._ready_path)
        elif self._state == "choosing":
            self._open_typed(self._row() if self._is_moved else None)

    @on(OptionList.OptionSelected)
    def _choose_clicked(self) -> None:
        """Do with a click what enter does on a row that was moved to."""
        if self._state != "looking":
            self._turn("choosing")
            self._open_typed(self._list.chosen)

    @on(PathInput.Dropped)
    def _look_at_dropped(self, event: PathInput.Dropped) -> None:
        """Look at once at what was dropped."""
        self._look_at(event.path)

    @work(exclusive=True, group="look")
    async def _open_typed(self, row: FolderEntry | None) -> None:
        """Open a row that a person chose; or else what has exactly the name typed; or else the row highlighted.

        What is in no list yet, and has no such name, is looked at as it was typed: nobody has seen what else would fit.
        """
        folder, name = split_typed(self._followed)
        if self._folder_text and folder_part(self._followed) == self._folder_text:
            folder = self._folder  # whose name may not be one that can be typed
        if row is None and name:
            row = await on_own_thread(partial(entry_at, folder, name))
        row = row or self._row()
        if row is None and not name:
            self._browse(folder)
        elif row is None:
            await self._look(folder / name)
        elif row.opens_folder:
            self._browse(row.path)
        else:
            if row.is_inside:
                self._set_line(display_path(row.path, is_folder=False))
                self._show_folder_of(self._followed)
            await self._look(row.path)

    @work(exclusive=True, group="look")
    async def _look_at(self, path: Path) -> None:
        """Put a path into the line and look at it."""
        self._set_line(display_path(path, is_folder=False))
        self._show_folder_of(self._followed)
        await self._look(path)

    async def _look(self, path: Path) -> None:
        """Look at a path on a thread, and say what is wrong with it or what is in it and comes next."""
        self._turn("looking")
        self._hints.show(f"looking at {path.name}…")
        try:
            preview = await on_own_thread(partial(self._check, path))
        except Exception as error:  # noqa: BLE001 - whatever a file does, the run before goes on
            self._refuse(to_tweetgen_error(error, "Looking at tweets"))
        else:
            self._turn("ready")
            self._ready_path = path
            facts, sample = (fact_line(preview, path.name), sample_line(preview)) if preview else ("", "")
            self._hints.show(f"{path.name} can be used. {self._tell_outcome()}", facts, sample, "ready")

    def _refuse(self, error: TweetgenError) -> None:
        """Say what is wrong with the path."""
        self._turn("choosing")
        self._hints.show(error.message, error.hint, tone="error")

    def _turn(self, state: _State) -> None:
        """Go on in another state, with nothing said yet."""
        self._state = state
        self._ready_path = None
        self.query_one("#box").border_subtitle = _KEYS_LINES[state]
        self._hints.show("")

    def action_close(self) -> None:
        """Stop looking, take the choice back, or close without an answer."""
        if self._state == "choosing":
            self.dismiss(None)
        else:
            self.workers.cancel_group(self, "look")
            self._turn("choosing")
