"""Rows of shaded cells above a text: a column per input of the model, scrolled so that the cursor's is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from engine.protocol.insight import Bands
from tui.text.cells import cell_len
from tui.xray.columns import symbols, window
from tui.xray.glyphs import Glyphs, largest, level_spans, pooled, scale_spans
from tui.xray.spans import Line, Picture, Span

NUMBER_CELLS = 7
"""Of a number beside a row, and the blank after it."""
_LETTER_CELLS = 2
_ELLIPSIS_CELLS = 1
_WIDTH_WITH_UNITS = 60
"""From this width on, each row names its units."""
_UNITS = "units"
_MAX_CELLS_PER_CHAR = 2


@dataclass(frozen=True, kw_only=True)
class Block:
    """What some rows of a heat map show."""

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


@dataclass(frozen=True)
class HeatMap:
    """The inputs of a text that fit in a width, as columns; two cells wide each where there is room."""

    inputs: tuple[str, ...]
    cells: tuple[int, ...]
    """The width of each input."""
    visible: range
    cursor: int
    num_units: int
    units_cells: int
    """For the units of each row; 0 where there is no room for them."""
    label_cells: int
    """All that is left of the cells: a letter, the units, numbers."""
    glyphs: Glyphs

    @classmethod
    def of(cls, text: str, cursor: int, width: int, glyphs: Glyphs, *, num_units: int, num_numbers: int = 0) -> HeatMap:
        """Return the columns around the cursor that fit in `width` beside so many numbers a row."""
        units_cells = max(len(f"{num_units}-{num_units}"), len(_UNITS)) + 1 if width >= _WIDTH_WITH_UNITS else 0
        label_cells = _LETTER_CELLS + units_cells + num_numbers * NUMBER_CELLS
        room = width - label_cells - _ELLIPSIS_CELLS
        inputs = symbols(text, glyphs)[:-1]
        cells = tuple(map(cell_len, inputs))
        cells = tuple(min(max(room // sum(cells), 1), _MAX_CELLS_PER_CHAR) * each for each in cells)
        return cls(inputs, cells, window(cells, cursor, room), cursor, num_units, units_cells, label_cells, glyphs)

    def text(self) -> Picture:
        """Return the line of the characters, and the mark below the cursor."""
        is_cut_before, is_cut_after = self.visible.start > 0, self.visible.stop < len(self.inputs)
        chars = (
            Span((self.glyphs.ellipsis if is_cut_before else "").ljust(self.label_cells), "muted"),
            *(Span(self._padded(place), "cursor" if place == self.cursor else "text") for place in self.visible),
            Span(self.glyphs.ellipsis if is_cut_after else "", "muted"),
        )
        num_blanks = self.label_cells + sum(self.cells[self.visible.start : self.cursor])
        return chars, (Span(" " * num_blanks), Span(self.glyphs.cursor, "title"))

    def _padded(self, place: int) -> str:
        symbol = self.inputs[place]
        return symbol + " " * (self.cells[place] - cell_len(symbol))

    def heading(self, block: Block, num_rows: int, numbers: Sequence[str] = ()) -> Line:
        """Return what the labels, `numbers` and cells of a block are, with its scale."""
        labels = f"{'':<{_LETTER_CELLS}}{_UNITS:<{self.units_cells}}" if self.units_cells else ""
        return (
            Span(labels + "".join(f"{name:<{NUMBER_CELLS}}" for name in numbers), "muted"),
            Span(f"{block.name} "),
            *block.legend(num_rows, self.glyphs),
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
                Span(units.ljust(self.units_cells), "muted"),
                *(Span(f"{each[row]:{sign}z.2f}".ljust(NUMBER_CELLS), "value") for each in beside),
            ]
            for place in self.visible:
                value = columns[place][row] / scale
                line += level_spans((value,), self.glyphs, is_signed=block.is_signed, cells=self.cells[place])
            lines.append(tuple(line))
        return tuple(lines)

    def _units(self, num_bands: int, num_rows: int) -> list[str]:
        """Return the units of each row, counted from 1; empty where there is no room for them.

        The bands are groups of neighbours whose sizes differ by at most one unit, the larger ones first.
        """
        if not self.units_cells:
            return [""] * num_rows
        size, num_larger = divmod(self.num_units, num_bands)
        ends = [0, *accumulate(size + (band < num_larger) for band in range(num_bands))]
        edges = [ends[row * num_bands // num_rows] for row in range(num_rows + 1)]
        return [f"{first + 1}-{last}" if last > first + 1 else f"{last}" for first, last in pairwise(edges)]


@lru_cache(8)  # a step of the cursor changes none of up to 500 columns
def _pooled_columns(bands: Bands, num_rows: int) -> tuple[tuple[float, ...], ...]:
    return tuple(pooled(column, num_rows) for column in bands)
