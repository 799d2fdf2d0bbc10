"""The variables that describe a terminal: what it can show by them, and those of a browser's tab. Pure; no queries.

Each function accepts the environment as a mapping, so that a test can simulate any terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

GlyphSet = Literal["braille", "block", "ascii"]
"""Character set for plots, frames and marks: braille dots; blocks for fonts without braille; ASCII only."""
ColourSystem = Literal["none", "16", "256", "truecolor"]

BROWSER_DRIVER = "tui.terminal.driver:BrowserDriver"
"""What `tweetgen-tui serve` sets `TEXTUAL_DRIVER` to in the processes that it starts."""
LARGEST_SIZE = (500, 200)
"""Columns and rows of the largest screen that is drawn, more than a 4K display has. `python -m tests.sizes` draws it.
Memory grows with the cells, and a terminal or a browser may report any size."""
_COERCED = {"C.UTF-8", "C.utf8", "UTF-8"}
"""What Python sets LC_CTYPE to in the C locale (PEP 538), whatever the terminal can show."""
_FORCED_COLOURS: dict[str, ColourSystem] = {"standard": "16", "256": "256", "truecolor": "truecolor"}
_MULTIPLEXERS = {"TMUX": "tmux", "ZELLIJ": "zellij", "STY": "screen"}
_OF_SSH = ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT")
_OF_THE_SERVERS_TERMINAL = {"NO_COLOR", "COLORTERM", *_MULTIPLEXERS, *_OF_SSH}
_OF_A_TAB = {"TEXTUAL_DRIVER": BROWSER_DRIVER, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}


def is_utf8(environ: Mapping[str, str], encoding: str | None) -> bool:
    """Return whether the terminal accepts UTF-8: by the user's locale, then by the encoding of the output."""
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or ""
    if not locale or (locale in _COERCED and not environ.get("LC_ALL")):
        locale = environ.get("LANG") or locale
    charset = "utf-8" if locale in _COERCED else locale.partition("@")[0].partition(".")[2]
    if locale in {"C", "POSIX"}:
        charset = "ascii"
    names = {charset or encoding or "ascii", encoding or charset or "ascii"}
    return {name.lower().replace("-", "").replace("_", "") for name in names} <= {"utf8", "utf16", "utf32"}


def glyphs_for(environ: Mapping[str, str], encoding: str | None) -> GlyphSet:
    """Return the richest glyph set that this terminal can be assumed to show."""
    return "ascii" if is_linux_console(environ) or not is_utf8(environ, encoding) else "braille"


def is_linux_console(environ: Mapping[str, str]) -> bool:
    """Return whether the terminal has at most 512 glyphs, and prints the sequences of titles and notices as text."""
    return environ.get("TERM") == "linux"


def colour_system(environ: Mapping[str, str]) -> ColourSystem:
    """Return the colours that Textual and rich (15) will use; "none" with `NO_COLOR`."""
    if "NO_COLOR" in environ:
        return "none"
    if forced := _FORCED_COLOURS.get(environ.get("TEXTUAL_COLOR_SYSTEM", "auto")):
        return forced
    term = environ.get("TERM", "").strip().lower()
    if term in {"dumb", "unknown"}:
        return "none"
    if environ.get("COLORTERM", "").strip().lower() in {"truecolor", "24bit"}:
        return "truecolor"
    return "256" if term.rpartition("-")[2] in {"kitty", "256color"} else "16"


def multiplexer(environ: Mapping[str, str]) -> str:
    """Return the terminal multiplexer around the program: "tmux", "screen", "zellij", or "no"."""
    return next((name for variable, name in _MULTIPLEXERS.items() if environ.get(variable)), "no")


def is_over_ssh(environ: Mapping[str, str]) -> bool:
    """Return whether the program was started through ssh."""
    return any(environ.get(name) for name in _OF_SSH)


def is_in_browser(environ: Mapping[str, str]) -> bool:
    """Return whether the screen is drawn in a browser, by a process of `tweetgen-tui serve`."""
    return environ.get("TEXTUAL_DRIVER") == BROWSER_DRIVER


def environment_of_tab(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that describes the terminal in a tab of a browser in place of that of the server."""
    return {name: value for name, value in environ.items() if name not in _OF_THE_SERVERS_TERMINAL} | _OF_A_TAB


def drawn_size(columns: int, rows: int) -> tuple[int, int]:
    """Return the size of the screen in a terminal that reports this size: from 1x1 to `LARGEST_SIZE`."""
    return min(max(columns, 1), LARGEST_SIZE[0]), min(max(rows, 1), LARGEST_SIZE[1])
