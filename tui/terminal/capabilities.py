"""What the terminal can show, by environment and locale. Pure functions; never queries the terminal.

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

_UNICODE_ENCODINGS = {"utf8", "utf16", "utf32"}
_COERCED = {"C.UTF-8", "C.utf8", "UTF-8"}
"""What Python sets LC_CTYPE to in the C locale (PEP 538), whatever the terminal can show."""
_FONT_WITHOUT_BRAILLE = {"linux"}
"""Terminals whose fonts have at most 512 glyphs."""
_COLOURS_OF_SUFFIX: dict[str, ColourSystem] = {"kitty": "256", "256color": "256", "16color": "16"}
_FORCED_COLOURS: dict[str, ColourSystem] = {"standard": "16", "256": "256", "truecolor": "truecolor"}


def is_utf8(environ: Mapping[str, str], encoding: str | None) -> bool:
    """Return whether the terminal accepts UTF-8: by the user's locale, then by the encoding of the output."""
    charset = _charset(environ)
    return _is_unicode(charset or encoding or "ascii") and _is_unicode(encoding or charset or "ascii")


def _charset(environ: Mapping[str, str]) -> str:
    """Return the encoding named by the environment; empty if none is."""
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or ""
    if not locale or (locale in _COERCED and not environ.get("LC_ALL")):
        locale = environ.get("LANG") or locale
    if locale in {"C", "POSIX"}:
        return "ascii"
    if locale in _COERCED:
        return "utf-8"
    return locale.partition("@")[0].partition(".")[2]


def _is_unicode(encoding: str) -> bool:
    return encoding.lower().replace("-", "").replace("_", "") in _UNICODE_ENCODINGS


def glyphs_for(environ: Mapping[str, str], encoding: str | None) -> GlyphSet:
    """Return the richest glyph set that this terminal can be assumed to show."""
    is_bare = environ.get("TERM", "") in _FONT_WITHOUT_BRAILLE
    return "ascii" if is_bare or not is_utf8(environ, encoding) else "braille"


def colour_system(environ: Mapping[str, str]) -> ColourSystem:
    """Return the colours that Textual and rich (15) will use; "none" with `NO_COLOR`."""
    if "NO_COLOR" in environ:
        return "none"
    forced = _FORCED_COLOURS.get(environ.get("TEXTUAL_COLOR_SYSTEM", "auto"))
    if forced is not None:
        return forced
    term = environ.get("TERM", "").strip().lower()
    if term in {"dumb", "unknown"}:
        return "none"
    if environ.get("COLORTERM", "").strip().lower() in {"truecolor", "24bit"}:
        return "truecolor"
    return _COLOURS_OF_SUFFIX.get(term.rpartition("-")[2], "16")


def multiplexer(environ: Mapping[str, str]) -> str:
    """Return the terminal multiplexer around the program: "tmux", "screen", "zellij", or "no"."""
    for variable, name in (("TMUX", "tmux"), ("ZELLIJ", "zellij"), ("STY", "screen")):
        if environ.get(variable):
            return name
    return "no"


def is_over_ssh(environ: Mapping[str, str]) -> bool:
    """Return whether the program was started through ssh."""
    return any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"))


def is_in_browser(environ: Mapping[str, str]) -> bool:
    """Return whether the screen is drawn in a browser, by a process of `tweetgen-tui serve`."""
    return environ.get("TEXTUAL_DRIVER") == BROWSER_DRIVER


def drawn_size(columns: int, rows: int) -> tuple[int, int]:
    """Return the size of the screen in a terminal that reports this size: from 1x1 to `LARGEST_SIZE`."""
    most_columns, most_rows = LARGEST_SIZE
    return min(max(columns, 1), most_columns), min(max(rows, 1), most_rows)
