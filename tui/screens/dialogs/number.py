"""Ask for a whole number: a setting of the run, with its current value and limits."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from engine.text import sanitize_line
from tui.formatting.numbers import format_count
from tui.screens.dialogs.base import Dialog
from tui.widgets.input.line_input import LineInput

_MAX_CHARS = 24


@dataclass(frozen=True, kw_only=True)
class NumberQuestion:
    """A setting, its current value and its limits."""

    title: str
    sentence: str
    """What the number means, and the effect of a change."""
    value: int
    """The current value, to start from."""
    low: int
    high: int

    @property
    def limits(self) -> str:
        """The allowed numbers, in words."""
        return f"a whole number from {format_count(self.low)} to {format_count(self.high)}"


def number_in(text: str) -> int | None:
    """Parse a whole number with any group separator, "1,000" or "1 000"; return None for other text."""
    digits = text.strip().translate(dict.fromkeys(map(ord, ",_ '\u00a0\u202f")))
    return int(digits) if digits.removeprefix("-").isdecimal() else None


class NumberDialog(Dialog[int]):
    """Answer with a number within the limits."""

    KEYS_LINE = "enter set · esc close"

    def __init__(self, question: NumberQuestion) -> None:
        """Ask a question; the line begins with the current value."""
        super().__init__(question.title)
        self._question = question

    def compose_body(self) -> ComposeResult:
        """Show the sentence, the line, and below it the limits or an error."""
        yield Static(self._question.sentence, markup=False)
        yield LineInput(str(self._question.value), max_length=_MAX_CHARS, select_on_focus=True)
        yield Static(self._usual_hint, markup=False, id="hint")

    @property
    def _usual_hint(self) -> str:
        return f"{format_count(self._question.value)} now; {self._question.limits}."

    @on(Input.Changed)
    def _clear_error(self) -> None:
        """Clear the error once the line changes."""
        self._show_hint(self._usual_hint)

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Answer, or show the error."""
        number = number_in(event.value)
        if number is not None and self._question.low <= number <= self._question.high:
            self.dismiss(number)
            return
        typed = sanitize_line(event.value.strip()) or "Nothing"
        self._show_hint(f"{typed} is not {self._question.limits}.", is_error=True)
