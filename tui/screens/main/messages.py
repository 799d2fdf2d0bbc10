"""What a main screen shows in words: toasts, each once, and errors in a dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.notifications import SeverityLevel
from textual.screen import Screen

from engine.text import harmless
from tui.screens.dialogs.base import MessageDialog, ResultDialog

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

    def toast(self, text: str, severity: SeverityLevel = "information") -> None:
        """Show a line for a few seconds, unless it has just been shown."""
        shown, at = self._last
        if text != shown or self._clock() - at > QUIET_SECONDS:
            self._last = (text, self._clock())
            self._screen.notify(harmless(text), severity=severity, markup=False)

    def refuse(self, reason: str) -> None:
        """Show why a key does nothing now. Keys typed right after it were meant for what it would have opened."""
        self.toast(reason)
        self._drop_typed_ahead()

    def error(self, title: str, detail: str, hint: str) -> None:
        """Show an error in a dialog, or as a toast where another message is open."""
        self._show(MessageDialog(title, detail, hint), f"{title}. {detail}", "error")

    def result(self, title: str, detail: str) -> None:
        """Show what a run has shown until it is closed, or as a toast where another message is open."""
        self._show(ResultDialog(title, detail, ""), detail, "information")

    def _show(self, dialog: MessageDialog, line: str, severity: SeverityLevel) -> None:
        if isinstance(self._screen.app.screen, MessageDialog):
            self.toast(line, severity)
        else:
            self._screen.app.push_screen(dialog)
