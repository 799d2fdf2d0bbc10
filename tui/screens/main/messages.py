"""What a main screen shows in words: toasts, each once, and errors in a dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Input

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
        self._result: ResultDialog | None = None
        """Not shown yet."""

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
        if isinstance(self._screen.app.screen, MessageDialog):
            self.toast(f"{title}. {detail}", "error")
        else:
            self._screen.app.push_screen(MessageDialog(title, detail, hint))

    def result(self, title: str, detail: str) -> None:
        """Show the result of a run in a dialog, once nothing is open or typed that its keys would be meant for."""
        self._result = ResultDialog(title, detail, "")

    def tick(self) -> None:
        """Show a result that waits."""
        is_free = self._screen.app.screen is self._screen and not isinstance(self._screen.focused, Input)
        if self._result is not None and is_free:
            self._screen.app.push_screen(self._result)
            self._result = None
