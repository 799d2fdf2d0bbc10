"""The upper part of the dialog for other tweets: a line for a path, and the folder that it leads to below.

Options may follow the path in the line; folder and entries are those of the path alone.

Folders are read on threads. A key may act before the characters typed before it have been applied, so each action that
uses the path applies the line first.

Choose a file, folder or archive of tweets for a new run.

The tweets are checked before anything else happens: an error is shown in the dialog, and the current run continues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Input, OptionList

from engine.corpus.report import CorpusPreview
from engine.text import sanitize_line
from tui.dialogs.base import Answer, Dialog
from tui.dialogs.folder import (
    DialogHints,
    FileList,
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
from tui.process.threads import on_own_thread
from tui.run.connection import to_tweetgen_error
from tui.text.tweets import doubt_in, fact_line, sample_line
from tui.text.typed import OptionValue, parsed_options, split_options
from tui.widgets.line_input import PathInput

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


@dataclass(frozen=True)
class OtherTweets:
    """What was chosen: a path, and the fields of its corpus that are set by options."""

    path: Path
    options: Mapping[str, OptionValue]


Check = Callable[[OtherTweets], CorpusPreview | None]
"""Checks tweets; raises the `TweetgenError` that a run on them would end with. Called on a thread."""


class OpenDialog(PathBrowser[OtherTweets]):
    """Answer with tweets that a run can use. Enter checks a path; a second enter answers."""

    def __init__(self, check: Check, start: Path, outcome: Callable[[], str], *, is_dropped: bool = False) -> None:
        """Begin in the folder of `start`; check at once a path that was dropped.

        `outcome` returns a sentence on what the second enter will do.
        """
        super().__init__("Open other tweets", start)
        self._check = check
        self._outcome = outcome
        self._is_dropped = is_dropped
        self._ready: OtherTweets | None = None

    def on_mount(self) -> None:
        """Show the first folder."""
        if self._is_dropped:
            self._check_dropped(self._start)
        else:
            self._browse(self._start if self._start.is_dir() else self._start.parent)

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        self._ready = None

    @on(Input.Submitted)
    def _enter(self, event: Input.Submitted) -> None:
        """Check the path as it was when enter was pressed; answer if it was checked already."""
        if event.value != self._line.value:
            self._line.value = event.value
        self._apply_line()
        if self._ready is not None:
            self.dismiss(self._ready)
        elif self._state == "choosing":
            self._open(self._row() if self._is_moved else None)

    @on(OptionList.OptionSelected)
    def _open_clicked(self) -> None:
        """Open a row as enter does."""
        if self._state != "checking":
            self._set_state("choosing")
            self._open(self._list.chosen)

    @on(PathInput.Dropped)
    def _open_dropped(self, event: PathInput.Dropped) -> None:
        self._check_dropped(event.path)

    @work(exclusive=True, group=CHECK_GROUP)
    async def _open(self, row: FolderEntry | None) -> None:
        """Open `row`, or else the entry with exactly the typed name, or else the highlighted one.

        A name without any entry is checked as typed: no list has shown the user what else matches.
        """
        folder, name = split_typed(self._applied_path)
        if self._folder_text and folder_part(self._applied_path) == self._folder_text:
            folder = self._folder  # whose name may have characters that can't be typed
        if row is None and name:
            row = await on_own_thread(partial(entry_at, folder, name))
        row = row or self._row()
        if row is None and not name:
            self._browse(folder)
        elif row is None:
            await self._check_path(folder / name)
        elif row.opens_folder:
            self._browse(row.path)
        else:
            if row.is_inside:
                self._set_path(row.path, self._applied_options)
            await self._check_path(row.path)

    @work(exclusive=True, group=CHECK_GROUP)
    async def _check_dropped(self, path: Path) -> None:
        self._set_path(path)
        await self._check_path(path)

    async def _check_path(self, path: Path) -> None:
        """Check a path on a thread; show the error, or a preview and what enter will do."""
        self._set_state("checking")
        self._hints.show(f"checking {path.name}…")
        try:
            tweets = OtherTweets(path, parsed_options(self._applied_options))
            preview = await on_own_thread(partial(self._check, tweets))
        except Exception as error:  # noqa: BLE001 - whatever a file does, the current run continues
            report = to_tweetgen_error(error, "Checking tweets")
            self._set_state("choosing")
            self._hints.show(report.message, report.hint, self._options_hint(path, report.hint), "error")
        else:
            self._set_state("ready")
            self._ready = tweets
            facts, sample = (fact_line(preview, path.name), sample_line(preview)) if preview else ("", "")
            doubt = doubt_in(preview) if preview else ""
            verdict = doubt or f"{path.name} can be used"
            self._hints.show(f"{verdict}; {self._outcome()}", facts, sample, "error" if doubt else "ready")

    def _options_hint(self, path: Path, hint: str) -> str:
        """Return where an option is typed, if the hint of an error names one and none was typed."""
        is_needed = "--" in hint and not self._applied_options
        return f"An option follows the path: {path.name} --option VALUE" if is_needed else ""

    def action_close(self) -> None:
        """Stop checking, go back to choosing, or close without an answer."""
        if self._state == "choosing":
            self.dismiss(None)
        else:
            self.workers.cancel_group(self, CHECK_GROUP)
            self._set_state("choosing")
