"""A value for each symbol of a text, as the strip colours it."""

from __future__ import annotations

from dataclasses import dataclass

from tui.xray.glyphs import Glyphs
from tui.xray.spans import Line, Span


@dataclass(frozen=True)
class Shades:
    """The values of a view along the text, and what they mean."""

    values: tuple[float | None, ...]
    """One per symbol: `<BOS>`, the characters, the end. 0 to 1, or -1 to 1 if signed; None is no value.

    A negative value although unsigned has the glyph of its size and the other hue.
    """
    meaning: str
    """Of the values, in a few words: "bits of each character"."""
    low: str
    """What the lowest level stands for: "0"."""
    high: str
    is_signed: bool = False

    def level(self, value: float, glyphs: Glyphs) -> str:
        """Return the glyph of a value; of a negative one that of its size, unless signed."""
        return glyphs.level(value, -1.0) if self.is_signed else glyphs.level(abs(value))

    def legend(self, glyphs: Glyphs) -> Line:
        """Return the meaning with the scale of glyphs, and the ends: "bits of each character: 0 ▁▂▃▄▅▆▇█ 8"."""
        ends = f"{glyphs.bos} <BOS>  {glyphs.eos} <EOS>"
        return (Span(f"{self.meaning}: {self.low} {glyphs.levels} {self.high}   {ends}", "muted"),)
