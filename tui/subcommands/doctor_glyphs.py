"""The one-key test of `tweetgen-tui doctor`: only who sits before a terminal knows whether its font has dots.

The answer goes into the preferences, where the screen finds it.
"""

from __future__ import annotations

import os
import sys
import termios
import tty

from tui.preference_keeper import save_changes
from tui.preferences import AUTO, preferences_path
from tui.terminal_facts import GlyphSet, glyphs_for

_STDIN = 0
SAMPLES: dict[str, tuple[GlyphSet, str, str]] = {
    "1": ("braille", "dots", "⣇⡀  ⠈⠑⠢⢄⣀⡠⠔⠊⠉⠉⠑⠢⢄⣀  ⣿⣿⣶⣤⣀"),
    "2": ("block", "blocks", "▙▖  ▀▚▄▄▞▀▀▀▚▄▄    ██▙▄▂"),
    "3": ("ascii", "plain", "#.  '-.._.-'''-.._  ##+-."),
}
"""A curve by the key that chooses its glyphs: these, their name, the curve."""


def ask_about_glyphs() -> None:
    """Show a curve in each glyph set, take one key and keep the answer. Raises `TweetgenError`."""
    sys.stdout.write("\nglyphs\n")
    for key, (_, name, curve) in SAMPLES.items():
        sys.stdout.write(f"  {key}  {name:<8}{curve}\n")
    sys.stdout.write("Which is the first that shows well, without boxes or question marks? Press 1, 2 or 3: ")
    sys.stdout.flush()
    key = _pressed_key()
    sys.stdout.write((key if key in SAMPLES else "") + "\n")
    if key not in SAMPLES:
        sys.stdout.write("Nothing is changed.\n")
        return
    glyphs = SAMPLES[key][0]
    is_found_by_itself = glyphs == glyphs_for(os.environ, sys.stderr.encoding)
    save_changes(preferences_path(), {"glyphs": AUTO if is_found_by_itself else glyphs})
    sys.stdout.write(f"The screen draws with {SAMPLES[key][1]} from now on; --glyphs {glyphs} says so for one run.\n")


def _pressed_key() -> str:
    """Return the next key. One that came right after the question counts, which `typer.getchar` would throw away."""
    before = termios.tcgetattr(_STDIN)
    tty.setcbreak(_STDIN, termios.TCSADRAIN)
    try:
        return os.read(_STDIN, 16).decode("utf-8", "replace")
    finally:
        termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)
