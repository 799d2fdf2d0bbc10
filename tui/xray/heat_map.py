"""Rows of shaded cells above a text: a column per input of the model, scrolled so that the cursor's is shown.

Unlike in the strip, a column is a code point: one that belongs to the character before it, such as a combining mark or
a part of an emoji sequence, has a column of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from engine.protocol.insight import Bands
from tui.text.cells import cell_len, safe_chars, split_graphemes
from tui.xray.drawing import NUM_LEVELS, Glyphs, Line, Picture, Span

NUMBER_CELLS = 7
"""Width of a number beside a row, with the blank after it."""
_LETTER_CELLS = 2
_ELLIPSIS_CELLS = 1
_WIDTH_WITH_UNITS = 60
_UNITS = "units"
_MAX_CELLS_PER_CHAR = 2


@dataclass(frozen=True, kw_only=True)
class Block:
    """Values that are drawn as consecutive rows of a heat map."""

    bands: Bands
    """One row of numbers per input: 0 to 1, or signed and scaled by the largest one that is shown."""
    letter: str
    name: str
    meaning: str = ""
    is_signed: bool = False

    def scale(self, num_rows: int) -> float:
        """Return the largest absolute value in this many rows; of gates it is 1."""
        return largest(_pooled_columns(self.bands, num_rows)) if self.is_signed else 1.0

    def legend(self, num_rows: int, glyphs: Glyphs) -> Line:
        """Return the cells of the scale between the numbers at its ends."""
        scale = self.scale(num_rows)
        ends = (f"{-scale:.2f}", f"{scale:.2f}") if self.is_signed else ("0", "1")
        return scale_spans(*ends, glyphs, is_signed=self.is_signed)


class HeatMap:
    """The inputs of a text that fit in a width, as columns; two cells wide each where there is room."""

    def __init__(
        self, text: str, cursor: int, width: int, glyphs: Glyphs, *, num_units: int, num_numbers: int = 0
    ) -> None:
        """Lay out the columns around the cursor that fit in `width` beside so many numbers a row.

        From a width of `_WIDTH_WITH_UNITS` on, each row of a block names its units, of `num_units`.
        """
        has_units = width >= _WIDTH_WITH_UNITS
        self._units_cells = max(len(f"{num_units}-{num_units}"), len(_UNITS)) + 1 if has_units else 0
        self._label_cells = _LETTER_CELLS + self._units_cells + num_numbers * NUMBER_CELLS
        room = width - self._label_cells - _ELLIPSIS_CELLS
        self._inputs = symbols(text, glyphs)[:-1]
        cells = [cell_len(each) for each in self._inputs]
        stretch = min(max(room // sum(cells), 1), _MAX_CELLS_PER_CHAR)
        self._cells = [stretch * each for each in cells]
        self._visible = window(self._cells, cursor, room)
        self._cursor = cursor
        self._num_units = num_units
        self._glyphs = glyphs

    def text(self) -> Picture:
        """Return the line of the characters, and the mark below the cursor."""
        before, after = (
            self._glyphs.ellipsis if is_cut else ""
            for is_cut in (self._visible.start > 0, self._visible.stop < len(self._inputs))
        )
        chars = [Span(before.ljust(self._label_cells), "muted")]
        for place in self._visible:
            symbol = self._inputs[place]
            symbol += " " * (self._cells[place] - cell_len(symbol))
            chars.append(Span(symbol, "cursor" if place == self._cursor else "text"))
        num_blanks = self._label_cells + sum(self._cells[self._visible.start : self._cursor])
        return (*chars, Span(after, "muted")), (Span(" " * num_blanks), Span(self._glyphs.cursor, "title"))

    def heading(self, block: Block, num_rows: int, numbers: Sequence[str] = ()) -> Line:
        """Return what the labels, `numbers` and cells of a block are, with its scale."""
        labels = f"{'':<{_LETTER_CELLS}}{_UNITS:<{self._units_cells}}" if self._units_cells else ""
        return (
            Span(labels + "".join(f"{name:<{NUMBER_CELLS}}" for name in numbers), "muted"),
            Span(f"{block.name} "),
            *block.legend(num_rows, self._glyphs),
            Span(f"  {block.meaning}", "muted"),
        )

    def rows(self, block: Block, num_rows: int, numbers: Sequence[Sequence[float]] = ()) -> Picture:
        """Return the bands of a block, pooled to at most `num_rows` lines, each with its units and numbers.

        `numbers` are bands of which each row shows its own.
        """
        columns, scale = _pooled_columns(block.bands, num_rows), block.scale(num_rows)
        beside = [pooled(bands, num_rows) for bands in numbers]
        sign = "+" if block.is_signed else ""
        lines = []
        for row, units in enumerate(self._units(len(block.bands[0]), len(columns[0]))):
            line = [
                Span((block.letter if row == 0 else "").ljust(_LETTER_CELLS), "title"),
                Span(units.ljust(self._units_cells), "muted"),
                *(Span(f"{each[row]:{sign}z.2f}".ljust(NUMBER_CELLS), "value") for each in beside),
            ]
            for place in self._visible:
                value = columns[place][row] / scale
                line += level_spans((value,), self._glyphs, is_signed=block.is_signed, cells=self._cells[place])
            lines.append(tuple(line))
        return tuple(lines)

    def _units(self, num_bands: int, num_rows: int) -> list[str]:
        """Return the units of each row, counted from 1; empty where there is no room for them.

        The bands are groups of neighbours whose sizes differ by at most one unit, the larger ones first.
        """
        if not self._units_cells:
            return [""] * num_rows
        size, num_larger = divmod(self._num_units, num_bands)
        ends = [0, *accumulate(size + (band < num_larger) for band in range(num_bands))]
        edges = [ends[row * num_bands // num_rows] for row in range(num_rows + 1)]
        return [f"{first + 1}-{last}" if last > first + 1 else f"{last}" for first, last in pairwise(edges)]


@lru_cache(8)  # a step of the cursor changes none of up to 500 columns
def _pooled_columns(bands: Bands, num_rows: int) -> tuple[tuple[float, ...], ...]:
    return tuple(pooled(column, num_rows) for column in bands)


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


def symbols(text: str, glyphs: Glyphs, *, has_ended: bool = True) -> tuple[str, ...]:
    """Return the symbols of a text as they are drawn, each one or two cells wide: `<BOS>`, the characters, the end."""
    shown = [glyphs.bos]
    text = safe_chars(text)
    for begin, end, _ in split_graphemes(text)[0]:
        first = text[begin]
        shown.append(first if cell_len(first) else _part(first, glyphs))
        shown.extend(_part(char, glyphs) for char in text[begin + 1 : end])
    return (*shown, glyphs.eos if has_ended else glyphs.ellipsis)


def _part(char: str, glyphs: Glyphs) -> str:
    """Return a code point that is no character of its own: a combining mark on its placeholder, others without."""
    marked = glyphs.part + char
    is_mark = unicodedata.category(char)[0] == "M" and not glyphs.part.isascii()
    return marked if is_mark and cell_len(marked) == 1 else glyphs.part


def window(cells: Sequence[int], cursor: int, width: int) -> range:
    """Return the columns that fit in `width`: those around the cursor, as many as possible; none if it does not fit."""
    if not 0 <= cursor < len(cells) or cells[cursor] > width:
        return range(0)
    first, last = cursor, cursor + 1
    room = width - cells[cursor]
    while True:
        before = cells[first - 1] if first > 0 else width + 1
        after = cells[last] if last < len(cells) else width + 1
        takes_before = before <= room and (cursor - first <= last - 1 - cursor or after > room)
        if takes_before:
            first, room = first - 1, room - before
        elif after <= room:
            last, room = last + 1, room - after
        else:
            return range(first, last)
