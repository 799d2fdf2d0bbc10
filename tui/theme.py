"""The program's own colours, and the glyphs that say the same without colour.

Widgets take colours from Textual's theme variables only, so that every theme in the palette fits them.
"""

from __future__ import annotations

from textual.theme import Theme

from engine.fact import Novelty

TWEETGEN_THEME = Theme(
    name="tweetgen",
    primary="#7cb7d9",
    secondary="#9a9fd8",
    accent="#e6b673",
    success="#8fc796",
    warning="#e0b866",
    error="#e27d83",
    foreground="#cfd6df",
    background="#11151b",
    surface="#171c24",
    panel="#1f2630",
    dark=True,
    variables={
        "border": "#7cb7d9",
        "border-blurred": "#36414f",
        "block-cursor-background": "#7cb7d9",
        "block-cursor-foreground": "#11151b",
        "block-cursor-text-style": "none",
        "footer-background": "#171c24",
        "footer-key-foreground": "#e6b673",
        "footer-description-foreground": "#93a0b0",
        "input-selection-background": "#7cb7d9 30%",
        "scrollbar": "#36414f",
        "scrollbar-hover": "#4b596b",
        "scrollbar-active": "#7cb7d9",
        "scrollbar-background": "#11151b",
        "scrollbar-background-hover": "#11151b",
        "scrollbar-background-active": "#11151b",
        "scrollbar-corner-color": "#11151b",
    },
)
"""Ink and sky: calm blues for what is, amber for what can be pressed."""

NOVELTY_GLYPHS: dict[Novelty, str] = {"new": "●", "near-copy": "◐", "copy": "○"}
"""The fuller, the newer. All one cell wide."""

NOVELTY_SENTENCES: dict[Novelty, str] = {
    "new": "no tweet in the training text is like it",
    "near-copy": "close to a tweet in the training text",
    "copy": "stands in the training text",
}
