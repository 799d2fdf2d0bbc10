"""The glyphs of the views, in Unicode and in ASCII, and levels, bars and names of characters made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp2

from tui.text.cells import bar, shown_char
from tui.text.numbers import format_share
from tui.xray.spans import Line, Span

NUM_LEVELS = 8
_SPACE_LABEL = shown_char(" ")
_PARTS = 1_000_000


@dataclass(frozen=True)
class Glyphs:
    """One glyph set; every glyph is one cell wide."""

    levels: str
    """`NUM_LEVELS` glyphs, lowest first."""
    bos: str
    eos: str
    padding: str
    ellipsis: str
    cursor: str
    """Below the character that was read last."""
    boundary: str
    """Between what was given and what the model wrote."""
    mark: str
    """Before the true character."""
    part: str
    """In place of a code point that belongs to the character before it, such as a combining mark."""
    wide: str
    """In a grid, in place of a character of two cells."""
    space: str
    parting: str
    """Where two texts part."""
    corner: str
    """Where two axes meet."""
    rule: str
    """A part of an axis that goes right; `boundary` is one that goes up."""
    quotes: str
    """Opening and closing."""
    has_eighths: bool
    """Whether bars end with a part of a cell."""

    def level(self, value: float, low: float = 0.0, high: float = 1.0) -> str:
        """Return the glyph of a value in a range; values outside are clamped."""
        share = (value - low) / (high - low)
        return self.levels[min(max(int(share * NUM_LEVELS), 0), NUM_LEVELS - 1)]

    def bar(self, share: float, width: int) -> str:
        """Return a bar that fills a share, 0 to 1, of `width` cells; padded to `width`."""
        if self.has_eighths:
            return bar(share, width)
        return (self.levels[-1] * round(min(max(share, 0.0), 1.0) * width)).ljust(width)

    def label(self, char: str) -> str:
        """Return a character as a label: "␣" for a space, "end" for none, "U+200D" if it can't be shown."""
        return shown_char(char).replace(_SPACE_LABEL, self.space)

    def name(self, char: str) -> str:
        """Return a character in a sentence: ‘g’, "a space", "the end" for none."""
        if char in {"", " "}:
            return "a space" if char else "the end"
        label = self.label(char)
        return f"{self.quotes[0]}{label}{self.quotes[1]}" if len(label) == 1 else label


UNICODE = Glyphs(
    levels="▁▂▃▄▅▆▇█",
    bos="▸",
    eos="■",
    padding="·",
    ellipsis="…",
    cursor="▲",
    boundary="│",
    mark="▸",
    part="◌",
    wide="◇",
    space="␣",
    parting="≠",
    corner="└",
    rule="─",
    quotes="‘’",
    has_eighths=True,
)
ASCII = Glyphs(
    levels=" .:-=+*#",
    bos=">",
    eos="#",
    padding=".",
    ellipsis="~",
    cursor="^",
    boundary="|",
    mark=">",
    part="+",
    wide="*",
    space="_",
    parting="!",
    corner="+",
    rule="-",
    quotes="''",
    has_eighths=False,
)


def level_spans(values: Sequence[float], glyphs: Glyphs, *, is_signed: bool = False, cells: int = 1) -> Line:
    """Return values, 0 to 1 or -1 to 1 if signed, as `cells` cells of a heat map each."""
    low = -1.0 if is_signed else 0.0
    return tuple(Span(cells * glyphs.level(value, low), "cell", shade=min(max(value, low), 1.0)) for value in values)


def scale_spans(low: str, high: str, glyphs: Glyphs, *, is_signed: bool = False) -> Line:
    """Return the legend of a heat map, with the numbers at its ends: "0 ▁▂▃▄▅▆▇█ 1"."""
    first = -1.0 if is_signed else 0.0
    values = [first + (place + 0.5) * (1.0 - first) / NUM_LEVELS for place in range(NUM_LEVELS)]
    return (Span(f"{low} ", "muted"), *level_spans(values, glyphs, is_signed=is_signed), Span(f" {high}", "muted"))


def pooled(values: Sequence[float], num_bands: int) -> tuple[float, ...]:
    """Return the means of neighbouring values in at most `num_bands` bands of nearly equal size."""
    num_bands = min(len(values), num_bands)
    edges = [band * len(values) // num_bands for band in range(num_bands + 1)] if num_bands else []
    return tuple(sum(values[start:end]) / (end - start) for start, end in pairwise(edges))


def largest(rows: Sequence[Sequence[float]]) -> float:
    """Return the largest absolute value of all rows, 1 if all are 0: a scale for signed values."""
    return max((max(*row, -min(row)) for row in rows if row), default=0.0) or 1.0


def percent(share: float) -> str:
    """Return a share, 0 to 1, in percent: "62 %", "0.3 %", "<0.1 %"; only exact ones are 0 or 100."""
    parts = round(share * _PARTS)
    return format_share(parts if parts or not share else 1, _PARTS)


def chance_of(bits: float) -> float:
    """Return the probability that costs so many bits."""
    return exp2(-bits)
