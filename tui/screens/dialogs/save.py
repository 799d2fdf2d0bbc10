"""Ask for the name of a checkpoint to save."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from engine.checkpoints.catalog import pin_path
from engine.errors import ConfigError
from engine.protocol.commands import SaveCheckpoint
from engine.storage.folders import checked_name, named_checkpoint_path
from engine.text import harmless
from tui.screens.dialogs.base import Dialog
from tui.widgets.input.line_input import LineInput


def is_saved(name: str) -> bool:
    """Return whether a checkpoint of that name exists."""
    return named_checkpoint_path(name).exists()


def is_pinned(name: str) -> bool:
    """Return whether the checkpoint of that name is pinned, so that it can't be replaced."""
    return pin_path(named_checkpoint_path(name)).exists()


def free_name(name: str) -> str:
    """Return `name`, or the first of name-2, name-3 and so on that is free."""
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(candidate for candidate in itertools.chain([name], numbered) if not is_saved(candidate))


class SaveDialog(Dialog[SaveCheckpoint]):
    """Answer with the command that saves; an existing name needs enter twice."""

    KEYS_LINE = "enter save · esc close"

    def __init__(self, suggestion: str, is_taken: Callable[[str], bool] = is_saved) -> None:
        """Suggest a name."""
        super().__init__("Save a checkpoint")
        self._suggestion = harmless(suggestion)
        self._is_taken = is_taken
        self._name_to_replace: str | None = None

    def compose_body(self) -> ComposeResult:
        """Show the line, and below it the rule or an error."""
        yield LineInput(self._suggestion, placeholder="a name", max_length=100, select_on_focus=True)
        yield Static("Letters, digits, blanks and . _ + -", markup=False, id="advice")

    @on(Input.Changed)
    def _forget_warning(self) -> None:
        """Clear the warning once the name changes."""
        if self._name_to_replace is not None:
            self._name_to_replace = None
            self._advise("")

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Answer, or show the error."""
        name = event.value.strip()
        try:
            checked_name(name, "checkpoint")
        except ConfigError as error:
            self._advise(error.hint)
            return
        if self._is_taken(name) and is_pinned(name):
            self._advise(f"The checkpoint {name} is pinned. Choose another name, or unpin it first.")
            return
        is_replacing = name == self._name_to_replace
        if self._is_taken(name) and not is_replacing:
            self._name_to_replace = name
            self._advise(f"A checkpoint called {name} exists already. Enter again replaces it.")
            return
        self.dismiss(SaveCheckpoint(name=name, replace=is_replacing))

    def _advise(self, advice: str) -> None:
        self.query_one("#advice", Static).update(advice)
