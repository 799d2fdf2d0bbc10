"""What a main screen shows in words: toasts, each once, and errors in a dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Input

from engine.text import sanitize_line
from tui.dialogs.ask import Question

QUIET_SECONDS = 3.0
"""The same toast is not shown twice within this time."""


class Messages:
    """Toasts and error dialogs over a screen."""

    def __init__(self, screen: Screen[Any], clock: Callable[[], float], drop_typed_ahead: Callable[[], None]) -> None:
        """Show messages over `screen`; `drop_typed_ahead` drops the keys that arrived together with a refused one."""
        self._screen = screen
        self._clock = clock
        self._drop_typed_ahead = drop_typed_ahead
        self._last = ("", 0.0)
        self._waiting: list[tuple[Question, Callable[[Any], None] | None]] = []
        """Dialogs that are not shown yet, with what handles their answers."""

    def toast(self, text: str, severity: SeverityLevel = "information") -> None:
        """Show a line for a few seconds, unless it has just been shown."""
        shown, at = self._last
        if text != shown or self._clock() - at > QUIET_SECONDS:
            self._last = (text, self._clock())
            self._screen.notify(sanitize_line(text), severity=severity, markup=False)

    def refuse(self, reason: str) -> None:
        """Show why a key does nothing now. Keys typed right after it were meant for what it would have opened."""
        self.toast(reason)
        self._drop_typed_ahead()

    def error(self, title: str, detail: str, hint: str) -> None:
        """Show an error in a dialog, or as a toast where another message is open."""
        top = self._screen.app.screen
        if isinstance(top, Question) and top.is_message:
            self.toast(f"{title}. {detail}", "error")
        else:
            self._screen.app.push_screen(Question(title, detail, {}, hint, "error"))

    def result(self, title: str, detail: str) -> None:
        """Show the result of a run in a dialog, once no other is open and nothing is typed."""
        self._waiting.append((Question(title, detail, {}, look="message"), None))

    def failure(self, dialog: Question, answer: Callable[[Any], None]) -> None:
        """Show why a run has failed, over any dialog, once nothing is typed that its keys would be meant for."""
        self._waiting.append((dialog, answer))

    def tick(self) -> None:
        """Show the next dialog that waits."""
        screen = self._screen.app.screen
        if isinstance(screen.focused, Input):
            return
        for number, (dialog, answer) in enumerate(self._waiting):
            if screen is self._screen or answer is not None:
                del self._waiting[number]
                self._screen.app.push_screen(dialog, answer)
                return
