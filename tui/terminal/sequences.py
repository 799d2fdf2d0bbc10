"""Copy to the clipboard of the user's machine with OSC 52, also over ssh and through tmux and screen.

No terminal confirms the copy; some forbid it, and most have to be configured for it. Pure apart from `copy`.

Notifications outside of the screen: the terminal's title, its bell, the desktop. Each can be switched off.

Text is made harmless and cut to one line. Nothing here prints: sequences go to the `write` callback.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from textual.app import App

from engine.text import sanitize_line
from tui.run.view import RunView
from tui.settings.preferences import Preferences
from tui.terminal.capabilities import multiplexer
from tui.terminal.private import driver_of
from tui.text.numbers import LossUnit, format_bits, format_count

_ESCAPE, _BELL = "\x1b", "\x07"
_END = f"{_ESCAPE}\\"
COPIED = "Copied, if your terminal allows it (OSC 52)."
"""Shown after `copy`."""
_SCREEN_CHUNK = 240
"""Longest device control string that screen passes on; older versions allow 256 characters."""


def copy(app: App[Any], text: str, environ: Mapping[str, str] = os.environ) -> None:
    """Put `text` on the clipboard, without control characters: they would act where it is pasted."""
    text = sanitize_line(text, max_chars=max(1, len(text)))
    app.copy_to_clipboard(text)
    driver = driver_of(app)
    passed_through = wrapped_for(osc52(text), multiplexer(environ))
    if passed_through and driver is not None:
        driver.write(passed_through)


def osc52(text: str) -> str:
    """Return the escape sequence that sets a terminal's clipboard to `text`."""
    return f"{_ESCAPE}]52;c;{base64.b64encode(text.encode()).decode()}{_BELL}"


def wrapped_for(sequence: str, name: str) -> str:
    """Return `sequence` wrapped so that a multiplexer passes it on to its terminal; empty if it needs no wrapping.

    tmux accepts the bare sequence only with `set-clipboard on` and the wrapped one only with `allow-passthrough on`, so
    both are sent.
    """
    if name == "tmux":
        return f"{_ESCAPE}Ptmux;{sequence.replace(_ESCAPE, _ESCAPE * 2)}{_END}"
    if name == "screen":
        return "".join(f"{_ESCAPE}P{chunk}{_END}" for chunk in _chunks(sequence))
    return ""


def _chunks(sequence: str) -> Iterator[str]:
    for start in range(0, len(sequence), _SCREEN_CHUNK):
        yield sequence[start : start + _SCREEN_CHUNK]


TITLE_SECONDS = 5.0
"""Least time between changes of the title: over ssh every byte counts."""
_MAX_CHARS = 120
_PUSH_TITLE, _POP_TITLE = "\x1b[22;0t", "\x1b[23;0t"
_BELL = "\x07"
_WITHOUT_SEQUENCES = {"linux"}
"""Values of TERM of terminals that would print the sequences of titles and notifications."""


def title_of(view: RunView, unit: LossUnit = "bits") -> str:
    """Return the terminal's title: run, loss in `unit`, step, and the phase unless training."""
    parts = ["tweetgen-tui"]
    if view.started is not None:
        parts.append(view.started.run)
    if view.is_replay:
        parts.append("replay")
    bits = view.last_val.bits_per_char if view.last_val is not None else view.smoothed_bits
    if bits is not None:
        parts.append(f"{format_bits(bits, unit)} {unit}")
    if view.step:
        parts.append(f"{format_count(view.step)} steps")
    if view.shown_phase not in {"training", "starting"}:
        parts.append(view.shown_phase)
    return sanitize_line(" · ".join(parts), _MAX_CHARS)


def title_sequence(title: str) -> str:
    """Return the sequence that sets the title of window and icon."""
    return f"\x1b]0;{title}\x07"


def desktop_sequence(text: str, environment: Mapping[str, str]) -> str:
    """Return the sequence of a desktop notification, wrapped for tmux to pass it through."""
    sequence = f"\x1b]9;{text}\x07"
    return wrapped_for(sequence, "tmux") if environment.get("TMUX") else sequence


class Notifications:
    """Writes notifications to a terminal."""

    def __init__(
        self,
        write: Callable[[str], None],
        preferences: Callable[[], Preferences],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Write through `write`; `preferences` is called each time, as the user may change them."""
        self._write = write
        self._preferences = preferences
        self._environment = environment
        self._supports_sequences = environment.get("TERM") not in _WITHOUT_SEQUENCES
        self._title = ""

    def show_title(self, view: RunView, unit: LossUnit = "bits") -> None:
        """Update the title; the first time, push the one before. Called every `TITLE_SECONDS`."""
        if not self._preferences().title or not self._supports_sequences:
            self.restore_title()
            return
        title = title_of(view, unit)
        if title != self._title:
            self._write(("" if self._title else _PUSH_TITLE) + title_sequence(title))
            self._title = title

    def restore_title(self) -> None:
        """Restore the title from before."""
        if self._title:
            self._title = ""
            # a terminal without a stack of titles then shows none, rather than that of an ended run
            self._write(title_sequence("") + _POP_TITLE)

    def notify(self, text: str) -> None:
        """Ring the bell and send a desktop notification, as far as the user has chosen them."""
        preferences = self._preferences()
        if preferences.desktop and self._supports_sequences:
            self._write(desktop_sequence(sanitize_line(text, _MAX_CHARS), self._environment))
        if preferences.bell:
            self._write(_BELL)
