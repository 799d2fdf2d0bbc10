"""Copy to the clipboard of the user's machine with OSC 52, also over ssh and through tmux and screen.

No terminal confirms the copy; some forbid it, and most have to be configured for it. Pure apart from `copy`.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping

from textual.app import App

from engine.text import sanitize_line
from tui.terminal.capabilities import multiplexer
from tui.terminal.textual_private import driver_of

_ESCAPE, _BELL = "\x1b", "\x07"
_END = f"{_ESCAPE}\\"
COPIED = "Copied, if your terminal allows it (OSC 52)."
"""Shown after `copy`."""
_SCREEN_CHUNK = 240
"""Longest device control string that screen passes on; older versions allow 256 characters."""


def copy(app: App[None], text: str, environ: Mapping[str, str] = os.environ) -> None:
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
