"""The terminal's settings and foreground process group: saved before the program changes them, restored after it."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from typing import Any

from tui.terminal.output_thread import write_at_end

_STDIN, _STDERR = 0, 2
_RESET = (
    "\x18"  # ends a sequence that was cut off
    "\x1b[?1049l\x1b[?25h\x1b[?7h"  # main screen, cursor visible, line wrapping
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l"  # no mouse, no focus
    "\x1b[?2004l\x1b[?2026l\x1b[?2048l\x1b[<u\x1b[0m\r"  # no bracketed paste, frames, sizes, kitty's keys, colours
)
"""Resets every mode that the program may have set."""


class TerminalState:
    """The terminal's settings as they were before the program changed them."""

    def __init__(self) -> None:
        """Save the current settings."""
        self.save()

    def save(self) -> None:
        """Save the current settings for `restore`."""
        self._saved = _settings()

    @property
    def is_unchanged(self) -> bool:
        """Whether the current settings are those saved."""
        return _settings() == self._saved

    def restore(self, *, always: bool = False) -> None:
        """Restore the settings and reset all modes, where the settings have changed, or `always`.

        Never blocks on a terminal that accepts nothing; works from a background process group too.
        """
        if self._saved is None or not os.isatty(_STDERR) or (self.is_unchanged and not always):
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        with contextlib.suppress(OSError, termios.error):  # it is gone
            if os.tcgetpgrp(_STDIN) == os.getpgrp():  # else the shell is in the foreground, with settings of its own
                termios.tcsetattr(_STDIN, termios.TCSANOW, self._saved)
            write_at_end(_RESET)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _settings() -> list[Any] | None:
    """Return the terminal's settings; None without a terminal."""
    try:
        return termios.tcgetattr(_STDIN)
    except termios.error:
        return None


def pass_foreground(owner: int, group: int) -> None:
    """Make `group` the terminal's foreground process group where it was `owner`. SIGTTOU must be ignored meanwhile."""
    with contextlib.suppress(OSError):  # no terminal, or it is gone
        if os.tcgetpgrp(_STDIN) == owner:
            os.tcsetpgrp(_STDIN, group)
