"""The dialog of the settings in which a value is typed."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from tui.screens.dialogs.base import Dialog
from tui.widgets.input.line_input import LineInput

BY_PRESET = "from the preset"
"""Shown for a number that is not set."""


class ValueDialog(Dialog[str]):
    """Answer with a typed value, stripped, or with an empty text for the default; an error is shown while typing."""

    KEYS_LINE = "enter set · esc cancel"
    CSS = "ValueDialog #box { width: 60; }"

    def __init__(
        self,
        label: str,
        text: str,
        sentence: str,
        error_of: Callable[[str], str],
        *,
        placeholder: str = "",
        max_length: int = 12,
    ) -> None:
        """Begin with `text`. `error_of` returns what is wrong with a text, in a sentence; empty if it is valid."""
        super().__init__(label)
        self._text = text
        self._sentence = sentence
        self._error_of = error_of
        self._placeholder = placeholder
        self._max_length = max_length

    def compose_body(self) -> ComposeResult:
        """Show the line, and below it the sentence on the setting or an error."""
        yield LineInput(self._text, placeholder=self._placeholder, max_length=self._max_length, select_on_focus=True)
        yield Static(self._sentence, markup=False, id="hint")

    @on(Input.Changed)
    def _validate(self, event: Input.Changed) -> None:
        """Show the error in the line, or else the sentence."""
        error = self._error_of(event.value.strip())
        self._show_hint(error or self._sentence, is_error=bool(error))

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Answer, unless there is an error."""
        text = event.value.strip()
        if not self._error_of(text):
            self.dismiss(text)


def number_or_text(text: str) -> object:
    """Parse a number; return any other text unchanged."""
    for number_type in (int, float):
        try:
            return number_type(text)
        except ValueError:
            continue
    return text
