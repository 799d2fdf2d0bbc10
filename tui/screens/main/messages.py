"""What a main screen tells in words: toasts, each once, and errors in a dialog."""

from __future__ import annotations

from collections.abc import Callable

from textual.notifications import SeverityLevel
from textual.screen import Screen

from engine.text import harmless
from tui.run.view import Phase
from tui.screens.dialogs.base import MessageDialog

QUIET_SECONDS = 3.0
"""The same toast is not shown twice within this time."""
_NO_COMMANDS: dict[Phase, str] = {
    "starting": "The run is still starting.",
    "finished": "The run is over; q leaves, o opens other tweets.",
    "failed": "The run has failed; q leaves, o opens other tweets.",
}


class Teller:
    """Tells the user something over a screen."""

    def __init__(self, screen: Screen[None], clock: Callable[[], float], drop_typed_ahead: Callable[[], None]) -> None:
        """Tell over `screen`; `drop_typed_ahead` drops the keys behind one that is refused."""
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
        """Say why a key does nothing now; what was typed right behind it was meant for what it would have opened."""
        self.toast(reason)
        self._drop_typed_ahead()

    def error(self, title: str, detail: str, hint: str) -> None:
        """Show an error in a dialog, or as a toast where a dialog already tells one."""
        if isinstance(self._screen.app.screen, MessageDialog):
            self.toast(f"{title}. {detail}", "error")
        else:
            self._screen.app.push_screen(MessageDialog(title, detail, hint))

    def may_command(self, phase: Phase) -> bool:
        """Say whether a session in this phase takes commands; tell the user why not."""
        if phase in _NO_COMMANDS:
            self.refuse(_NO_COMMANDS[phase])
        return phase not in _NO_COMMANDS
