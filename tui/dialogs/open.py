"""`OpenDialog`: choose a file, folder or archive of tweets for a new run, by a path or in the list of its folder.

Options may follow the path in the line; the folder and its entries are those of the path alone. The tweets are checked
before anything else happens: an error is shown here, and the current run continues. Folders and files are read on
threads. A key may act before the characters typed before it were applied, so each action applies the line first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from textual import getters, on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from engine.config.run import RunConfig
from engine.corpus.report import CorpusPreview
from engine.errors import TweetgenError
from engine.text import sanitize_line
from tui.dialogs.base import RunDialog
from tui.dialogs.folder import (
    FileList,
    FolderEntry,
    after_last_root,
    best_match,
    display_path,
    entry_at,
    list_folder,
    matching,
    split_typed,
)
from tui.process.threads import on_own_thread
from tui.run.model import RunModel
from tui.run.new_run import NewRun, config_for_new_data, initial_path
from tui.text.tweets import doubt_in, fact_line, sample_line
from tui.text.typed import parsed_options, split_options
from tui.widgets.line_input import PathInput

State = Literal["choosing", "checking", "ready"]
_KEYS_LINES: dict[State, str] = {
    "choosing": "enter open · tab fill · esc close",
    "checking": "esc stop checking",
    "ready": "enter start · esc back",
}
Check = Callable[[RunConfig], CorpusPreview | None]
"""Checks tweets; raises the `TweetgenError` that a run on them would end with. Called on a thread."""


class OpenDialog(RunDialog[NewRun]):
    """Answer with tweets that a run can use. Enter checks a path; a second enter answers."""

    KEYS_LINE = _KEYS_LINES["choosing"]
    _line = getters.query_one(PathInput)
    _list = getters.query_one(FileList)

    def __init__(self, run: RunModel, check: Check, dropped: Path | None = None) -> None:
        """List the folder of the tweets of `run`, or check at once a path that was dropped."""
        super().__init__("Open other tweets", run)
        self._check = check
        self._dropped = dropped
        self._start = dropped or initial_path(run.connection.config)
        """The entry of its folder to highlight first."""
        self._state: State = "choosing"
        self._ready: NewRun | None = None
        self._path, self._options = "", ""
        """The line when it was last applied, the options with the space before them; later characters have no effect
        yet."""
        self._is_typed = False
        """Whether the user typed the line, as opposed to completion or a drop."""
        self._folder = self._start
        self._folder_text: str | None = None
        """The part of the line that leads to `_folder`, whose entries are `_entries`."""
        self._entries: list[FolderEntry] = []
        self._is_listed = False
        """Whether the list matches the applied line."""
        self._is_moved = False
        """Whether the user moved the highlight."""
        self._is_tab_waiting = False
        """Whether tab was pressed before the list matched the line."""

    def compose_body(self) -> ComposeResult:
        yield PathInput(placeholder="a file or folder, then options; ~ is your home", select_on_focus=False)
        yield FileList()
        with Vertical(id="hints"):
            for name in ("hint", "details", "sample"):
                yield Static(markup=False, id=name)

    def on_mount(self) -> None:
        if self._dropped is not None:
            self._open_dropped(PathInput.Dropped(self._dropped))
        else:
            self._browse(self._start if self._start.is_dir() else self._start.parent)

    def _set_state(self, state: State, hint: str = "", details: str = "", sample: str = "", style: str = "") -> None:
        """Change the state and the sentences below the list, with the class `style`; an empty one takes no line."""
        self._state, self._ready = state, None
        self.query_one("#box").border_subtitle = _KEYS_LINES[state]
        self.query_one("#hints").set_classes(style)
        for line, text in zip(self.query("#hints Static").results(Static), (hint, details, sample), strict=True):
            line.update(Content(sanitize_line(text)))
            line.display = bool(text)

    # The line and the folder ------------------------------------------------------------------------------------------

    def _browse(self, folder: Path) -> None:
        self._set_line(display_path(folder, is_folder=True))
        self._set_state("choosing")
        self._read_folder(folder, self._line.value)

    def _set_path(self, path: Path, options: str = "") -> None:
        """Put the path of a file and its options into the line, and show its folder."""
        self._set_line(display_path(path, is_folder=False) + options)
        self._show_folder()

    def _set_line(self, text: str) -> None:
        """Put a text into the line, its end in view."""
        value = sanitize_line(text)
        self._path, self._options = split_options(value)
        self._is_typed = self._is_listed = False
        self._line.value = value
        self._line.cursor_position = len(value)

    @on(Input.Changed)
    def _apply_line(self) -> None:
        """Show the entries that match the line; do nothing if they are shown already."""
        path, options = split_options(self._line.value)
        path = after_last_root(path)
        self._line.value = path + options
        if (path, options) != (self._path, self._options):
            self._path, self._options = path, options
            self._is_typed, self._is_listed, self._is_tab_waiting = True, False, False
            self.workers.cancel_group(self, "check")
            self._set_state("choosing")
            self._show_folder()

    def _show_folder(self) -> None:
        """Show the folder that the applied path leads to, and those of its entries that match."""
        if self._folder_part == self._folder_text:
            self.workers.cancel_group(self, "folder")
            self._show_entries()
        else:
            self._read_folder(split_typed(self._path)[0], self._folder_part)

    @property
    def _folder_part(self) -> str:
        """The part of the applied path that leads to its folder."""
        return self._path[: self._path.rfind("/") + 1]

    @work(exclusive=True, group="folder")
    async def _read_folder(self, folder: Path, folder_text: str) -> None:
        """Read a folder on a thread and show it; `folder_text` is the part of the line that leads to it."""
        try:
            entries = await on_own_thread(partial(list_folder, folder))
        except OSError as error:
            entries = []
            if self._state == "choosing":
                self._set_state("choosing", f"{display_path(folder, is_folder=True)}: {error.strerror or error}.")
        self._folder, self._folder_text, self._entries = folder, folder_text, entries
        self._show_entries()

    def _show_entries(self) -> None:
        """Show the entries that match a typed name; next to a name that was not typed, all entries."""
        name = self._path.rpartition("/")[2]
        fitting = matching(self._entries, name if self._is_typed else "")
        self._list.show(fitting, best_match(fitting, name, self._start, only_exact=not self._is_typed))
        self._is_listed, self._is_moved = True, False
        if self._is_tab_waiting:
            self._is_tab_waiting = False
            self.call_later(self._complete)

    def action_move(self, action: str) -> None:
        self._apply_line()
        if self._state != "checking" and self._is_listed:
            self._set_state("choosing")
            getattr(self._list, f"action_{action}")()
            self._is_moved = True

    def action_complete(self) -> None:
        """Complete the path to the highlighted entry, once the list matches the line."""
        self._apply_line()
        if self._state == "choosing":
            self._is_tab_waiting = not self._is_listed
            self._complete()

    def _complete(self) -> None:
        entry = self._list.chosen if self._is_listed else None
        if entry is not None and entry.opens_folder:
            self._browse(entry.path)
        elif entry is not None and entry.is_inside:
            self._set_path(entry.path, self._options)

    # The check and the answer -----------------------------------------------------------------------------------------

    @on(Input.Submitted)
    def _enter(self, event: Input.Submitted) -> None:
        """Check the path as it was when enter was pressed; answer if it was checked already."""
        self._line.value = event.value
        self._apply_line()
        if self._ready is not None:
            self.dismiss(self._ready)
        elif self._state == "choosing":
            self._open(self._list.chosen if self._is_moved and self._is_listed else None)

    @on(OptionList.OptionSelected)
    def _open_clicked(self) -> None:
        """Open a row as enter does."""
        if self._state != "checking":
            self._set_state("choosing")
            self._open(self._list.chosen)

    @on(PathInput.Dropped)
    @work(exclusive=True, group="check")
    async def _open_dropped(self, event: PathInput.Dropped) -> None:
        self._set_path(event.path)
        await self._check_path(event.path)

    @work(exclusive=True, group="check")
    async def _open(self, row: FolderEntry | None) -> None:
        """Open `row`, or else the entry with exactly the typed name, or else the highlighted one.

        A name without any entry is checked as typed: no list has shown the user what else matches.
        """
        folder, name = split_typed(self._path)
        if self._folder_text and self._folder_part == self._folder_text:
            folder = self._folder  # whose name may have characters that can't be typed
        if row is None and name:
            row = await on_own_thread(partial(entry_at, folder, name))
        if row is None and self._is_listed:
            row = self._list.chosen
        if row is None and name:
            await self._check_path(folder / name)
        elif row is None or row.opens_folder:
            self._browse(row.path if row is not None else folder)
        else:
            if row.is_inside:
                self._set_path(row.path, self._options)
            await self._check_path(row.path)

    async def _check_path(self, path: Path) -> None:
        """Check a path on a thread; show the error, or a preview and what enter will do."""
        self._set_state("checking", f"checking {path.name}…")

        def check() -> tuple[RunConfig, CorpusPreview | None]:
            config = config_for_new_data(self.run.connection.config, path, parsed_options(self._options))
            return config, self._check(config)

        try:
            config, preview = await on_own_thread(check, doing="Checking tweets")
        except TweetgenError as error:
            lacks_option = "--" in error.hint and not self._options
            where = f"An option follows the path: {path.name} --option VALUE" if lacks_option else ""
            self._set_state("choosing", error.message, error.hint, where, "-error")
            return
        view = self.run.view
        is_over = view.ended is not None or view.started is None
        effect = "starts a new run on it" if is_over else f"saves the run {view.name} and starts a new one on it"
        facts, sample = (fact_line(preview, path.name), sample_line(preview)) if preview else ("", "")
        doubt = doubt_in(preview) if preview else ""
        verdict = doubt or f"{path.name} can be used"
        self._set_state("ready", f"{verdict}; enter {effect}.", facts, sample, "-error" if doubt else "-ready")
        self._ready = NewRun(config, f"on {path.name}")

    def action_close(self) -> None:
        """Stop checking, go back to choosing, or close without an answer."""
        if self._state == "choosing":
            self.dismiss(None)
        else:
            self.workers.cancel_group(self, "check")
            self._set_state("choosing")
