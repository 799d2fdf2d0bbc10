"""The program's themes, for every pair of eyes and every terminal.

Widgets use the variables of Textual's themes, so that each theme in the palette suits them, and `HEAT_VARIABLES`. No
meaning is shown by colour alone: good, bad, new or copied have a word or a glyph, too.
"""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme


def _theme(
    name: str, ink: str, muted: str, line: str, paper: str, colours: str, selection: str = "", *, dark: bool = True
) -> Theme:
    """Return a theme of three backgrounds (screen, dialogs, bars), the six colours of Textual's themes, and two more.

    Those two are a blue and an amber: in heat maps, the hues of values below and above 0.
    """
    background, surface, panel = paper.split()
    primary, secondary, accent, success, warning, error, negative, positive = colours.split()
    variables = {
        "text-primary": primary,
        "text-secondary": secondary,
        "text-accent": accent,
        "text-success": success,
        "text-warning": warning,
        "text-error": error,
        "text": ink,
        "text-muted": muted,
        "text-disabled": muted,
        "border": primary,
        "border-blurred": line,
        "block-cursor-background": primary,
        "block-cursor-foreground": background,
        "block-cursor-text-style": "none",
        "footer-background": surface,
        "footer-key-foreground": accent,
        "footer-description-foreground": muted,
        "input-selection-background": selection or f"{primary} 30%",
        "negative": negative,
        "positive": positive,
        "scrollbar": line,
        "scrollbar-hover": muted,
        "scrollbar-active": primary,
        **{f"scrollbar-{part}": background for part in _SCROLLBAR_PARTS},
    }
    six = (primary, secondary, warning, error, success, accent)  # in Textual's order
    return Theme(name, *six, ink, background, surface, panel, dark=dark, variables=variables)


_SCROLLBAR_PARTS = ("background", "background-hover", "background-active", "corner-color")

TWEETGEN_THEME = _theme(
    "tweetgen",
    *("#cfd6df", "#93a0b0", "#36414f", "#11151b #171c24 #1f2630"),
    "#7cb7d9 #9a9fd8 #e6b673 #8fc796 #e0b866 #e27d83 #4a9be8 #c98a28",
)
"""Calm blues; amber for keys."""
LIGHT_THEME = _theme(
    "tweetgen-light",
    *("#1d232b", "#556070", "#b9bec6", "#fbfaf7 #f2f0eb #e9e6df"),
    "#1f6690 #4d54a3 #8a4b00 #256b35 #7d5600 #b0242c #1f6fc0 #a86200",
    dark=False,
)
HIGH_CONTRAST_THEME = _theme(
    "tweetgen-high-contrast",
    *("#ffffff", "#c0c0c0", "#a0a0a0", "#000000 #000000 #141414"),
    "#7fd4ff #c3b8ff #ffd24a #7dff9a #ffe36b #ff9c9c #66b3ff #ffb733",
)
HIGH_CONTRAST_LIGHT_THEME = _theme(
    "tweetgen-high-contrast-light",
    *("#000000", "#404040", "#606060", "#ffffff #ffffff #f2f2f2"),
    "#003f6b #2a2480 #5c3000 #00421a #4d3600 #7a0010 #0048a0 #7a4500",
    dark=False,
)
COLOUR_BLIND_THEME = _theme(
    "tweetgen-colour-blind",
    *("#e2e6ea", "#a3adb8", "#465160", "#11151b #171c24 #1f2630"),
    "#9db4cc #cc79a7 #e69f00 #56b4e9 #f0e442 #e8743b #4a9be8 #c98a28",
)
"""After the palette of Okabe and Ito (2008): blue is good, yellow in between, vermilion bad; neither red nor green."""
SIXTEEN_COLOURS_THEME = _theme(
    "tweetgen-16-colours",
    *("#ffffff", "#aaaaaa", "#aaaaaa", "#000000 #000000 #000000"),
    "#55ffff #ff55ff #ffff55 #55ff55 #ffff55 #ff5555 #3c3cff #ffc814",
    selection="#0000aa",
)
"""Colours out of the 16 that every terminal has, so that none is approximated but in a heat map: mixtures of black and
the last two are shown as two blues, and as brown and yellow."""

OWN_THEMES = (
    *(TWEETGEN_THEME, LIGHT_THEME, HIGH_CONTRAST_THEME, HIGH_CONTRAST_LIGHT_THEME),
    *(COLOUR_BLIND_THEME, SIXTEEN_COLOURS_THEME),
)
_READABLE_THEMES = ("catppuccin-macchiato", "catppuccin-mocha", "dracula", "rose-pine", "rose-pine-moon")
"""Themes of Textual in which all our text has a contrast of 4.5."""
THEMES = (*OWN_THEMES, *(BUILTIN_THEMES[name] for name in _READABLE_THEMES))
"""The themes in the palette."""

HEAT_VARIABLES = {name: TWEETGEN_THEME.variables[name] for name in ("negative", "positive")}
"""Our own variables, for the themes of Textual, which lack them."""


def theme_for(name: str, colour_system: str | None) -> str:
    """Return `name` if it is that of a theme, else the name of the default for a colour system, as rich calls it."""
    if name in {theme.name for theme in THEMES}:
        return name
    return SIXTEEN_COLOURS_THEME.name if colour_system == "standard" else TWEETGEN_THEME.name
