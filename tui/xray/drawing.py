"""Pictures as lines of styled text, without a framework, and their parts: glyphs, bars, shades. Pure.

The views return them; the screen, the terminal and pictures draw them. A picture must be readable without its colours:
a shade always comes with a glyph that says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from math import exp2
from typing import Literal

from engine.protocol.events import CharChance, CharRead
from engine.text import LOST
from tui.text.cells import Span as TextSpan
from tui.text.cells import bar, cell_len, num_cells, set_cell_size, shown_char, wrap
from tui.text.numbers import format_share, shown_percent

NUM_CELL_SHADES = 8
"""Steps of a hue in a heat map. Few, so that a following view repaints few cells."""
Kind = Literal["text", "muted", "title", "value", "bar", "cell", "cursor", "good", "bad", "problem"]
"""What a span is; the theme decides how it looks.

A `cell` is one value of a heat map. With colours it is a blank on the full colour of its shade, with a minus if that is
below 0, as hues may look alike; without, its glyph.
"""


@dataclass(frozen=True)
class Span(TextSpan):
    """A piece of a line in one style."""

    style: Kind = "text"
    shade: float | None = None
    """Background colour, -1 to 1: blue below 0, amber above, that of the screen at 0. None: no colour."""

    def drawn(self, *, has_colours: bool) -> str:
        """Return the text as drawn: a blank or a minus for a cell with colours, in its width."""
        if self.style != "cell" or not has_colours:
            return self.text
        is_below = (self.shade or 0.0) < 0 < share_of(self.shade or 0.0, NUM_CELL_SHADES)
        return ("-" if is_below else "").ljust(cell_len(self.text))


def share_of(shade: float, num_steps: int) -> float:
    """Return how much of its hue a shade has, 0 to 1, in steps."""
    return round(num_steps * min(abs(shade), 1.0)) / num_steps


Line = tuple[Span, ...]
Picture = tuple[Line, ...]
GAP = Span("  ")
"""Between facts on one line."""


def cut(line: Line, width: int, glyphs: Glyphs) -> Line:
    """Return a line of at most `width` cells; one that is longer ends with an ellipsis."""
    if num_cells(line) <= width:
        return line
    if not width:
        return ()
    kept: list[Span] = []
    room = width - 1
    for span in line:
        cells = cell_len(span.text)
        if cells > room:
            rest = set_cell_size(span.text, max(room, 0))
            return (*kept, Span(rest, span.style, span.shade), Span(glyphs.ellipsis, span.style))
        kept.append(span)
        room -= cells
    return tuple(kept)


def padded(line: Line, width: int) -> Line:
    """Return a line with blanks up to `width` cells."""
    missing = width - num_cells(line)
    return (*line, Span(" " * missing)) if missing > 0 else line


def beside(left: Picture, right: Picture, left_width: int, gap: int = 2) -> Picture:
    """Return two pictures side by side; the left one must fit in `left_width`."""
    return tuple(
        (*padded(first, left_width + gap), *second) if second else first
        for first, second in zip_longest(left, right, fillvalue=())
    )


def wrapped(text: str, width: int, kind: Kind = "text") -> Picture:
    """Return a text, broken at spaces if possible, in lines of `width` cells."""
    return tuple((Span(text[start:end], kind),) for start, end in wrap(text, max(width, 1)))


def fitted(picture: Picture, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the first `height` lines, each cut to `width` cells."""
    return tuple(cut(line, width, glyphs) for line in picture[: max(height, 0)])


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
    """Marks the character that was read last, on the line below."""
    boundary: str
    """A vertical line: an axis, or the state of a unit on its slider."""
    mark: str
    """Marks the true character, or the current row."""
    part: str
    """In place of a code point that belongs to the character before it, such as a combining mark."""
    wide: str
    """In a grid, in place of a character of two cells."""
    space: str
    negative: str
    """Below a character, in place of a level: its value is below 0."""
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

    def sign(self, char: str) -> str:
        """Return a character in one or two cells; a placeholder for one that can't be shown."""
        label = self.label(char)
        return label if len(label) == 1 else LOST

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
    negative="▾",
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
    negative="v",
    parting="!",
    corner="+",
    rule="-",
    quotes="''",
    has_eighths=False,
)


def percent(share: float) -> str:
    """Return a share, 0 to 1, in percent: "62 %", "0.3 %", "<0.1 %"; only exact ones are 0 or 100."""
    parts = round(share * _PARTS)
    return format_share(parts if parts or not share else 1, _PARTS)


def chance_of(bits: float) -> float:
    """Return the probability that costs so many bits."""
    return exp2(-bits)


@dataclass(frozen=True)
class Shades:
    """The values of a view along the text, and what they mean."""

    values: tuple[float | None, ...]
    """One per symbol: `<BOS>`, the characters, the end. 0 to 1, or -1 to 1 if signed; None is no value.

    A negative value although unsigned has a glyph of its own and the other hue.
    """
    meaning: str
    """What the values are, in a few words: "bits of each character"."""
    low: str
    """What the lowest level stands for: "0"."""
    high: str
    is_signed: bool = False

    def level(self, value: float, glyphs: Glyphs) -> str:
        """Return the glyph of a value; unless signed, one for all negative values but the smallest."""
        if self.is_signed:
            return glyphs.level(value, -1.0)
        return glyphs.negative if self._is_negative(value) else glyphs.level(abs(value))

    @staticmethod
    def _is_negative(value: float) -> bool:
        return value <= -1 / NUM_LEVELS

    def legend(self, glyphs: Glyphs) -> Line:
        """Return the meaning with the scale of glyphs, and the ends: "bits of each character: 0 ▁▂▃▄▅▆▇█ 8"."""
        has_negative = not self.is_signed and any(self._is_negative(value or 0.0) for value in self.values)
        below = f"  {glyphs.negative} below 0" if has_negative else ""
        ends = f"{glyphs.bos} <BOS>  {glyphs.eos} <EOS>"
        return (Span(f"{self.meaning}: {self.low} {glyphs.levels} {self.high}{below}   {ends}", "muted"),)


_MIN_LABEL_CELLS = 3
_PERCENT_CELLS = 5


def chance_rows(read: CharRead, width: int, num_rows: int, glyphs: Glyphs) -> Picture:
    """Return a row for each of the most probable characters; the true one is in the last row if it is none of them."""
    if num_rows < 1:
        return ()
    chances = read.likeliest[:num_rows]
    if read.char not in {chance.char for chance in chances}:
        chances = (*chances[: num_rows - 1], CharChance(char=read.char, probability=chance_of(read.bits)))
    labels = [glyphs.label(chance.char) for chance in chances]
    label_cells = max(_MIN_LABEL_CELLS, *map(cell_len, labels))
    bar_cells = max(width - len(f"{glyphs.mark} ") - label_cells - 1 - _PERCENT_CELLS - 1, 1)
    rows = []
    for label, chance in zip(labels, chances, strict=True):
        is_true = chance.char == read.char
        row = (
            Span(f"{glyphs.mark} " if is_true else "  ", "good"),
            Span(label + " " * (label_cells + 1 - cell_len(label)), "good" if is_true else "text"),
            Span(f"{shown_percent(chance.probability)} ", "value"),
            Span(glyphs.bar(chance.probability, bar_cells).rstrip(), "bar"),
        )
        rows.append(cut(row, width, glyphs))
    return tuple(rows)
