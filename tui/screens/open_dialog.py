"""Choose a file, folder or archive of tweets for a new run.

One line to type a path in, and the folder that it leads to below. What is chosen is looked at before anything happens:
what can't be used is told here, and the run goes on as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Paste
from textual.message import Message
from textual.widgets import Input, OptionList, Static

from engine.errors import TweetgenError
from engine.text import harmless
from tui.errands import as_told, on_own_thread
from tui.folder_listing import Entry, as_typed, begun_at_root, best_of, list_folder, matching, split_typed
from tui.other_tweets import dropped_path
from tui.screens.dialog import Dialog
from tui.widgets.file_list import FileList

Check = Callable[[Path], None]
"""Looks at tweets and raises the `TweetgenError` that a run on them would end with. Called on a thread."""
_State = Literal["choosing", "looking", "ready"]
_KEYS_LINES: dict[_State, str] = {
    "choosing": "enter open · tab fill · esc close",
    "looking": "esc stop looking",
    "ready": "enter start · esc back",
}


class PathInput(Input):
    """A line for a path; one that is dropped into the terminal takes the place of what was typed."""

    class Dropped(Message):
        """A path was dropped."""

        def __init__(self, path: Path) -> None:
            """Tell which."""
            super().__init__()
            self.path = path

    def on_paste(self, event: Paste) -> None:
        """Take a whole path for itself; any other text is typed."""
        path = dropped_path(event.text)
        if path is not None and path.is_absolute():
            event.stop()
            event.prevent_default()
            self.post_message(self.Dropped(path))


class OpenDialog(Dialog[Path]):
    """Answer with the path of tweets that can be used, after enter was pressed once more."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move('cursor_up')", "up", show=False),
        Binding("down", "move('cursor_down')", "down", show=False),
        Binding("pageup", "move('page_up')", "page up", show=False),
        Binding("pagedown", "move('page_down')", "page down", show=False),
        Binding("tab", "complete", "complete", show=False),
    ]
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
        self._shown_value: str | None = None
        """What the line was set to here; None once something else was typed."""
        self._folder_text: str | None = None
        """The part of the line that leads to the folder shown."""
        self._entries: list[Entry] = []

    def compose_body(self) -> ComposeResult:
        """Show the line to type in, the folder, and what is to be said of the path."""
        yield PathInput(placeholder="a file or folder; ~ is your home", select_on_focus=False)
        yield FileList()
        with Vertical(id="advice-area"):
            yield Static(markup=False, id="advice")
            yield Static(markup=False, id="hint")

    def on_mount(self) -> None:
        """Show the first folder."""
        if self._is_dropped:
            self._look(self._start)
        else:
            self._browse(self._start if self._start.is_dir() else self._start.parent)

    @property
    def _line(self) -> PathInput:
        return self.query_one(PathInput)

    @property
    def _list(self) -> FileList:
        return self.query_one(FileList)

    def _browse(self, folder: Path) -> None:
        """Show another folder."""
        self._set_line(as_typed(folder, is_folder=True))
        self._turn("choosing")
        self._read_folder(folder, self._line.value)

    def _set_line(self, text: str) -> None:
        """Put a path into the line, its end in view."""
        self._shown_value = value = harmless(text)
        self._line.value = value
        self._line.cursor_position = len(value)

    @on(Input.Changed)
    def _follow(self) -> None:
        """Show what fits the path that is being typed."""
        begun_anew = begun_at_root(self._line.value)
        if begun_anew != self._line.value:
            self._line.value = begun_anew
        elif begun_anew != self._shown_value:
            self._shown_value = None
            self._turn("choosing")
            self._show_folder_of(self._line.value)

    def _show_folder_of(self, text: str) -> None:
        """Show the folder that a path leads to, and those of its files that fit."""
        folder_text = text[: text.rfind("/") + 1]
        if folder_text == self._folder_text:
            self._show_entries()
        else:
            self._read_folder(split_typed(text)[0], folder_text)

    @work(exclusive=True, group="folder")
    async def _read_folder(self, folder: Path, folder_text: str) -> None:
        """Read a folder on a thread and show it; `folder_text` is what leads to it in the line."""
        try:
            self._entries = await on_own_thread(partial(list_folder, folder))
        except OSError as error:
            self._entries = []
            self._advise(f"{as_typed(folder, is_folder=True)}: {error.strerror or error}.")
        self._folder_text = folder_text
        self._show_entries()

    def _show_entries(self) -> None:
        """Show the entries that fit what was typed of a name; all of them beside a name that was put into the line."""
        name = self._line.value.rpartition("/")[2]
        fitting = matching(self._entries, name if self._shown_value is None else "")
        self._list.show(fitting, best_of(fitting, name, self._start))

    def action_move(self, action: str) -> None:
        """Move through the list."""
        if self._state != "looking":
            self._turn("choosing")
            getattr(self._list, f"action_{action}")()

    def action_complete(self) -> None:
        """Complete the path by the entry that is highlighted."""
        entry = self._list.chosen
        if self._state != "choosing" or entry is None:
            return
        if entry.leads_on:
            self._browse(entry.path)
        elif entry.is_inside:
            self._set_line(as_typed(entry.path, is_folder=False))
            self._show_folder_of(self._line.value)

    @on(Input.Submitted)
    def _choose(self) -> None:
        """Go where the highlight is; once that was found good, answer."""
        if self._ready_path is not None:
            self.dismiss(self._ready_path)
        elif self._state == "choosing":
            entry = self._list.chosen
            if entry is None:
                folder, name = split_typed(self._line.value)
                self._look(folder / name)
            elif entry.leads_on:
                self._browse(entry.path)
            else:
                self._look(entry.path)

    @on(OptionList.OptionSelected)
    def _choose_clicked(self) -> None:
        """Do with a click what enter does."""
        if self._state != "looking":
            self._turn("choosing")
            self._choose()

    @on(PathInput.Dropped)
    def _look_at_dropped(self, event: PathInput.Dropped) -> None:
        """Look at once at what was dropped."""
        self._look(event.path)

    @work(exclusive=True, group="look")
    async def _look(self, path: Path) -> None:
        """Look at a path on a thread, and say what is wrong with it or what comes next."""
        self._set_line(as_typed(path, is_folder=False))
        self._show_folder_of(self._line.value)
        self._turn("looking")
        self._advise(f"looking at {path.name}…")
        try:
            await on_own_thread(partial(self._check, path))
        except Exception as error:  # noqa: BLE001 - whatever a file does, the run before goes on
            self._refuse(as_told(error, "Looking at tweets"))
        else:
            self._turn("ready")
            self._ready_path = path
            self._advise(f"{path.name} can be used. {self._tell_outcome()}")

    def _refuse(self, error: TweetgenError) -> None:
        """Say what is wrong with the path."""
        self._turn("choosing")
        self._advise(error.message, error.hint, is_error=True)

    def _turn(self, state: _State) -> None:
        """Go on in another state, with nothing said yet."""
        self._state = state
        self._ready_path = None
        self.query_one("#box").border_subtitle = _KEYS_LINES[state]
        self._advise("")

    def _advise(self, advice: str, hint: str = "", *, is_error: bool = False) -> None:
        """Show a sentence or two under the list."""
        self.query_one("#advice-area").set_class(is_error, "-error")
        self.query_one("#advice-area").set_class(self._state == "ready", "-ready")
        for name, text in (("#advice", advice), ("#hint", hint)):
            line = self.query_one(name, Static)
            line.update(Content(harmless(text)))
            line.display = bool(text)

    def action_close(self) -> None:
        """Stop looking, take the choice back, or close without an answer."""
        if self._state == "choosing":
            self.dismiss(None)
        else:
            self.workers.cancel_group(self, "look")
            self._turn("choosing")
