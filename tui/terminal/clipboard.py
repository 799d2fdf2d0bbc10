"""The clipboard of the user's own machine, over ssh and through tmux and screen: by OSC 52, the terminals' sequence.

Nothing tells whether the terminal has taken it: some forbid it, and most have to be allowed it. Pure but for `copy`.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping

from textual.app import App

from engine.text import harmless
from tui.terminal.capabilities import multiplexer
from tui.terminal.textual_private import driver_of

_ESCAPE, _BELL = "\x1b", "\x07"
_END = f"{_ESCAPE}\\"
_SCREEN_CHUNK = 240
"""screen drops what is longer in one piece; older ones allow 256 characters."""


def copy(app: App[None], text: str, environ: Mapping[str, str] = os.environ) -> None:
    """Put `text` on the clipboard, harmless: nobody sees what it does where it is pasted."""
    text = harmless(text, max_chars=max(1, len(text)))
    app.copy_to_clipboard(text)
    driver = driver_of(app)
    passed_through = through_multiplexer(osc52(text), multiplexer(environ))
    if passed_through and driver is not None:
        driver.write(passed_through)


def osc52(text: str) -> str:
    """Return what tells a terminal to put `text` on its clipboard."""
    return f"{_ESCAPE}]52;c;{base64.b64encode(text.encode()).decode()}{_BELL}"


def through_multiplexer(sequence: str, name: str) -> str:
    """Return what has a multiplexer hand `sequence` on to the terminal around it; empty where it does so by itself.

    tmux takes the bare sequence only with `set-clipboard on`, and a wrapped one only with `allow-passthrough on`; so it
    is to be given both.
    """
    if name == "tmux":
        return f"{_ESCAPE}Ptmux;{sequence.replace(_ESCAPE, _ESCAPE * 2)}{_END}"
    if name == "screen":
        return "".join(f"{_ESCAPE}P{piece}{_END}" for piece in _pieces(sequence))
    return ""


def _pieces(sequence: str) -> Iterator[str]:
    for start in range(0, len(sequence), _SCREEN_CHUNK):
        yield sequence[start : start + _SCREEN_CHUNK]
