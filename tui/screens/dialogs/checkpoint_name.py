"""Type the name of a checkpoint: to save one, or to rename one."""

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
from engine.text import sanitize_line
from tui.screens.dialogs.base import Answer, Dialog
from tui.widgets.input.line_input import LineInput

_RULE = "Up to 100 letters, digits, spaces and . _ + -, the first a letter or digit."


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


class NameDialog(Dialog[Answer]):
    """A line for a name, and below it the rule for names, or an error."""

    def __init__(self, title: str, name: str, is_taken: Callable[[str], bool]) -> None:
        """Begin with `name`."""
        super().__init__(title)
        self._first_name = sanitize_line(name)
        self._is_taken = is_taken

    def compose_body(self) -> ComposeResult:
        """Show the line and the rule."""
        yield LineInput(self._first_name, placeholder="a name", max_length=100, select_on_focus=True)
        yield Static(_RULE, markup=False, id="hint")

    @on(Input.Submitted)
    def _check_name(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        try:
            checked_name(name, "checkpoint")
        except ConfigError as error:
            self._show_hint(error.hint)
        else:
            self._on_name(name)

    def _on_name(self, name: str) -> None:
        """Answer with a valid name, or show why it is refused."""
        raise NotImplementedError


class SaveDialog(NameDialog[SaveCheckpoint]):
    """Answer with the command that saves; an existing name needs enter twice."""

    KEYS_LINE = "enter save · esc close"

    def __init__(self, suggestion: str, is_taken: Callable[[str], bool] = is_saved) -> None:
        """Suggest a name."""
        super().__init__("Save a checkpoint", suggestion, is_taken)
        self._name_to_replace: str | None = None

    @on(Input.Changed)
    def _clear_warning(self) -> None:
        """Clear the warning once the name changes."""
        if self._name_to_replace is not None:
            self._name_to_replace = None
            self._show_hint("")

    def _on_name(self, name: str) -> None:
        is_replacing = name == self._name_to_replace
        if self._is_taken(name) and is_pinned(name):
            self._show_hint(f"The checkpoint “{name}” is pinned. Choose another name, or unpin it first.")
        elif self._is_taken(name) and not is_replacing:
            self._name_to_replace = name
            self._show_hint(f"A checkpoint called “{name}” exists already; enter again replaces it.")
        else:
            self.dismiss(SaveCheckpoint(name=name, replace=is_replacing))


class RenameDialog(NameDialog[str]):
    """Answer with a name that is valid and free."""

    KEYS_LINE = "enter rename · esc close"

    def __init__(self, name: str, is_taken: Callable[[str], bool]) -> None:
        """Begin with the current name."""
        super().__init__(f"Rename “{name}”", name, is_taken)

    def _on_name(self, name: str) -> None:
        if name == self._first_name:
            self.dismiss(None)
        elif self._is_taken(name):
            self._show_hint(f"A checkpoint called “{name}” exists already. Choose another name.")
        else:
            self.dismiss(name)
