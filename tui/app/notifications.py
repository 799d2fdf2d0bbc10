"""What reaches a user who looks elsewhere: the terminal's title, its bell, and a notice on the desktop.

Each can be switched off. Text goes out as one harmless line, through the writer that is given; nothing here prints.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from engine.text import harmless
from tui.formatting.numbers import format_bits, format_count
from tui.run.view import RunView
from tui.settings.preferences import Preferences

TITLE_SECONDS = 5.0
"""The title changes no more often: over ssh every byte counts."""
_MAX_CHARS = 120
_PUSH_TITLE, _POP_TITLE = "\x1b[22;0t", "\x1b[23;0t"
_BELL = "\x07"
_WITHOUT_SEQUENCES = {"linux"}
"""Values of TERM whose terminals know no title and no notice, and may print either."""


def title_of(view: RunView) -> str:
    """Return the line for the terminal's title: run, bits per character, step, and what it is doing if not training."""
    parts = ["tweetgen-tui"]
    if view.started is not None:
        parts.append(view.started.run)
    if view.is_replay:
        parts.append("replay")
    bits = view.last_val.bits_per_char if view.last_val is not None else view.smoothed_bits
    if bits is not None:
        parts.append(f"{format_bits(bits)} bits")
    if view.step:
        parts.append(f"{format_count(view.step)} steps")
    if view.phase not in {"training", "starting"}:
        parts.append(view.phase)
    return harmless(" · ".join(parts), _MAX_CHARS)


def title_sequence(title: str) -> str:
    """Return what sets the title of window and icon."""
    return f"\x1b]0;{title}\x07"


def desktop_sequence(text: str, environment: Mapping[str, str]) -> str:
    """Return what shows a notice on the desktop, wrapped so that tmux hands it on."""
    sequence = f"\x1b]9;{text}\x07"
    if environment.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return sequence


class Notifications:
    """Writes notices to a terminal."""

    def __init__(
        self,
        write: Callable[[str], None],
        preferences: Callable[[], Preferences],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Write through `write`, which does nothing where there is no terminal; ask for the preferences each time."""
        self._write = write
        self._preferences = preferences
        self._environment = environment
        self._knows_sequences = environment.get("TERM") not in _WITHOUT_SEQUENCES
        self._title = ""

    def show_title(self, view: RunView) -> None:
        """Bring the title up to date; the first time, keep the one before. Called every `TITLE_SECONDS`."""
        if not self._preferences().title or not self._knows_sequences:
            self.restore_title()
            return
        title = title_of(view)
        if title != self._title:
            self._write(("" if self._title else _PUSH_TITLE) + title_sequence(title))
            self._title = title

    def restore_title(self) -> None:
        """Put back the title that was there before."""
        if self._title:
            self._title = ""
            # a terminal that keeps no titles shows none rather than that of a run long gone
            self._write(title_sequence("") + _POP_TITLE)

    def notify(self, text: str) -> None:
        """Ring the bell and show a notice on the desktop, as far as the user wants them."""
        preferences = self._preferences()
        if preferences.desktop and self._knows_sequences:
            self._write(desktop_sequence(harmless(text, _MAX_CHARS), self._environment))
        if preferences.bell:
            self._write(_BELL)
