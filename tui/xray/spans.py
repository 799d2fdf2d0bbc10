"""Styled text without a framework: what the views return, and the screen, the terminal and pictures draw.

A picture must be readable without its colours: a shade always comes with a glyph that says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tui.text.cells import cell_len

NUM_CELL_SHADES = 8
"""Steps of a hue in a heat map. Few, so that a following view repaints few cells."""
Kind = Literal["text", "muted", "title", "value", "bar", "cell", "cursor", "good", "bad", "problem"]
"""What a span is; the theme decides how it looks.

A `cell` is one value of a heat map. With colours it is a blank on the full colour of its shade; without, its glyph.
"""


@dataclass(frozen=True)
class Span:
    """A piece of a line in one style."""

    text: str
    kind: Kind = "text"
    shade: float | None = None
    """Colour of its background, -1 to 1: 0 is that of the screen, blue is below, amber above. None: no colour."""

    def drawn(self, *, has_colours: bool) -> str:
        """Return the text as drawn: a blank for a cell with colours, in its width."""
        return " " * cell_len(self.text) if self.kind == "cell" and has_colours else self.text


def share_of(shade: float, num_steps: int) -> float:
    """Return how much of its hue a shade has, 0 to 1, in steps."""
    return round(num_steps * min(abs(shade), 1.0)) / num_steps


Line = tuple[Span, ...]
Picture = tuple[Line, ...]


def plain(picture: Picture) -> str:
    """Return the characters of a picture, one line each, without trailing blanks."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in picture)
