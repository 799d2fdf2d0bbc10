"""Escape sequences that act outside of the screen: clipboard, title, bell and desktop notification.

Text is made harmless and cut to one line. Nothing here prints: sequences go to a driver or a `write` callback.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine.text import sanitize_line
from tui.terminal.capabilities import is_linux_console, multiplexer

if TYPE_CHECKING:
    from tui.terminal.app import TerminalApp

_ESCAPE, _BELL = "\x1b", "\x07"
_PUSH_TITLE, _POP_TITLE = "\x1b[22;0t", "\x1b[23;0t"
COPIED = "Copied, if your terminal allows it (OSC 52)."
"""Shown after `copy`: no terminal confirms it, some forbid it, and most have to be configured for it."""
_SCREEN_CHUNK = 240
"""Longest device control string that screen passes on; older versions allow 256 characters."""
TITLE_SECONDS = 5.0
"""Least time between changes of the title: over ssh every byte counts."""
_MAX_CHARS = 120


def copy(app: TerminalApp[Any], text: str, environ: Mapping[str, str] = os.environ) -> None:
    """Put `text` on the clipboard of the user's machine with OSC 52, also over ssh and through tmux and screen.

    Without control characters: they would act where it is pasted.
    """
    text = sanitize_line(text, max_chars=max(1, len(text)))
    app.copy_to_clipboard(text)
    if passed_through := wrapped_for(osc52(text), multiplexer(environ)):
        app.write_to_terminal(passed_through)


def osc52(text: str) -> str:
    """Return the escape sequence that sets a terminal's clipboard to `text`."""
    return f"{_ESCAPE}]52;c;{base64.b64encode(text.encode()).decode()}{_BELL}"


def wrapped_for(sequence: str, name: str) -> str:
    """Return `sequence` wrapped so that a multiplexer passes it on to its terminal; empty if it needs no wrapping.

    tmux accepts the bare sequence only with `set-clipboard on` and the wrapped one only with `allow-passthrough on`, so
    both are sent.
    """
    if name == "tmux":
        return f"{_ESCAPE}Ptmux;{sequence.replace(_ESCAPE, _ESCAPE * 2)}{_ESCAPE}\\"
    if name == "screen":
        starts = range(0, len(sequence), _SCREEN_CHUNK)
        return "".join(f"{_ESCAPE}P{sequence[start : start + _SCREEN_CHUNK]}{_ESCAPE}\\" for start in starts)
    return ""


class Notifications:
    """Writes notifications and titles through `write` to a terminal."""

    def __init__(self, write: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> None:
        self._write = write
        self._is_in_tmux = multiplexer(environ) == "tmux"
        self._supports_sequences = not is_linux_console(environ)
        self._title = ""

    def show_title(self, title: str) -> None:
        """Change the title; the first time, push the one before, which an empty `title` restores."""
        if title == self._title or not self._supports_sequences:
            return
        # a terminal without a stack of titles then shows none, rather than that of an ended run
        before, after = ("" if self._title else _PUSH_TITLE), ("" if title else _POP_TITLE)
        self._write(f"{before}{_ESCAPE}]0;{title}{_BELL}{after}")
        self._title = title

    def notify(self, text: str, *, with_bell: bool, on_desktop: bool) -> None:
        """Ring the bell and send a desktop notification (OSC 9)."""
        if on_desktop and self._supports_sequences:
            sequence = f"{_ESCAPE}]9;{sanitize_line(text, _MAX_CHARS)}{_BELL}"
            self._write(wrapped_for(sequence, "tmux") if self._is_in_tmux else sequence)
        if with_bell:
            self._write(_BELL)
