"""Ask for a new name of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from engine.errors import ConfigError
from engine.storage.folders import checked_name
from engine.text import harmless
from tui.screens.dialogs.base import Dialog
from tui.widgets.input.line_input import LineInput


class RenameDialog(Dialog[str]):
    """Answer with a name that is valid and free."""

    KEYS_LINE = "enter rename · esc close"

    def __init__(self, name: str, is_taken: Callable[[str], bool]) -> None:
        """Begin with the current name."""
        super().__init__(f"Rename {name}")
        self._before = harmless(name)
        self._is_taken = is_taken

    def compose_body(self) -> ComposeResult:
        """Show the line, and below it the rule or an error."""
        yield LineInput(self._before, placeholder="a name", max_length=100, select_on_focus=True)
        yield Static("Letters, digits, blanks and . _ + -", markup=False, id="advice")

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Answer, or show the error."""
        name = event.value.strip()
        try:
            checked_name(name, "checkpoint")
        except ConfigError as error:
            self._advise(error.hint)
            return
        if name == self._before:
            self.dismiss(None)
        elif self._is_taken(name):
            self._advise(f"A checkpoint called {name} exists already. Choose another name.")
        else:
            self.dismiss(name)

    def _advise(self, advice: str) -> None:
        self.query_one("#advice", Static).update(advice)
