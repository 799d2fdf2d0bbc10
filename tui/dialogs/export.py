"""The dialog that writes tweets to a file: which ones, and to which."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.widgets import Input, Static

from engine.errors import TweetgenError
from engine.export.text_files import TWEET_FORMATS as FORMATS
from engine.protocol.events import TweetSampled
from engine.storage.files import write_export
from engine.text import counted, sanitize_line
from tui.dialogs.base import Dialog
from tui.process.threads import on_own_thread
from tui.widgets.line_input import LineInput

_MAX_NAME_CHARS = 1000
_FORMATS_HINT = "The suffix sets the format: .txt one tweet per line, .csv a table, .jsonl the events."


class ExportDialog(Dialog[None]):
    """Write tweets to a file on a thread; an existing file needs enter twice."""

    KEYS_LINE = "enter write · tab which tweets · esc close"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,down", "choose(1)", "next", show=False),
        Binding("shift+tab,up", "choose(-1)", "previous", show=False),
    ]

    def __init__(self, suggestion: str, choices: Mapping[str, Sequence[TweetSampled]], note: str = "") -> None:
        """Suggest a file name, and the first of the `choices`: names and their tweets. `note` follows the hint."""
        super().__init__("Export tweets")
        self._suggestion = sanitize_line(suggestion, _MAX_NAME_CHARS)
        self._choices = choices
        self._hint = f"{_FORMATS_HINT} {note}".strip()
        self._chosen = next(iter(choices))
        self._path_to_replace: Path | None = None
        self._is_writing = False

    def compose_body(self) -> ComposeResult:
        yield LineInput(self._suggestion, placeholder="a file name", max_length=_MAX_NAME_CHARS, select_on_focus=True)
        yield Static(markup=False, id="what")
        yield Static(self._hint, markup=False, id="hint")

    def on_mount(self) -> None:
        self.action_choose(0)

    def action_choose(self, direction: int) -> None:
        names = list(self._choices)
        self._chosen = names[(names.index(self._chosen) + direction) % len(names)]
        lines = (f"{'●' if name == self._chosen else '○'} {name}: {len(self._choices[name]):,}" for name in names)
        self.query_one("#what", Static).update("\n".join(lines))
        self._clear_warning()

    @on(Click, "#what")
    def _choose_other(self) -> None:
        self.action_choose(1)

    @on(Input.Changed)
    def _clear_warning(self) -> None:
        """Clear the warning once file or choice change."""
        self._path_to_replace = None
        self._show_hint(self._hint)

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        path = Path(os.path.expanduser(event.value.strip()))
        tweets = self._choices[self._chosen]
        if path.suffix.lower() not in FORMATS:
            self._show_hint(f"The name must end with one of {', '.join(FORMATS)}.", is_error=True)
        elif not tweets:
            self._show_hint(f"No {self._chosen} yet.", is_error=True)
        elif not self._is_writing:
            self._is_writing = True
            self._write(path, tweets)

    @work
    async def _write(self, path: Path, tweets: Sequence[TweetSampled]) -> None:
        """Write and close, or show the error."""
        may_replace = path == self._path_to_replace

        def write() -> bool:
            content = FORMATS[path.suffix.lower()](tweets).encode()
            try:
                write_export(path, [content], may_replace=may_replace)
            except FileExistsError:
                return False
            return True

        try:
            is_written = await on_own_thread(write, writes=True, doing="Exporting tweets")
        except TweetgenError as error:
            self._show_hint(f"{error.message} {error.hint}", is_error=True)
        else:
            if is_written:
                self.notify(sanitize_line(f"Wrote {counted(len(tweets), 'tweet')} to {path.absolute()}"), markup=False)
                self.dismiss(None)
            else:
                self._path_to_replace = path
                self._show_hint(f"“{path.name}” exists already; enter again replaces it.", is_error=True)
        self._is_writing = False
