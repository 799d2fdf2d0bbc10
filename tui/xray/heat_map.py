"""Rows of shaded glyphs above a text: a column per input of the model, scrolled so that the cursor's is shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from engine.protocol.events.insight import Bands
from tui.formatting.cells import cell_len
from tui.xray.columns import symbols, window
from tui.xray.glyphs import Glyphs, largest, level_spans, pooled
from tui.xray.spans import Kind, Picture, Span

_LABEL_CELLS = 2
_ELLIPSIS_CELLS = 1


@dataclass(frozen=True)
class HeatMap:
    """The inputs of a text that fit in a width, as columns."""

    inputs: tuple[str, ...]
    cells: tuple[int, ...]
    """The width of each input."""
    visible: range
    cursor: int
    glyphs: Glyphs

    @classmethod
    def of(cls, text: str, cursor: int, width: int, glyphs: Glyphs) -> HeatMap:
        """Return the columns around the cursor that fit in `width`, labels included."""
        inputs = symbols(text, glyphs)[:-1]
        cells = tuple(map(cell_len, inputs))
        return cls(inputs, cells, window(cells, cursor, width - _LABEL_CELLS - _ELLIPSIS_CELLS), cursor, glyphs)

    def text(self) -> Picture:
        """Return the line of the characters, and the mark below the cursor."""
        is_cut_before, is_cut_after = self.visible.start > 0, self.visible.stop < len(self.inputs)
        chars = (
            Span((self.glyphs.ellipsis if is_cut_before else "").ljust(_LABEL_CELLS), "muted"),
            *(Span(self.inputs[place], "cursor" if place == self.cursor else "text") for place in self.visible),
            Span(self.glyphs.ellipsis if is_cut_after else "", "muted"),
        )
        num_blanks = _LABEL_CELLS + sum(self.cells[self.visible.start : self.cursor])
        return chars, (Span(" " * num_blanks), Span(self.glyphs.cursor, "title"))

    def block(self, bands: Bands, num_rows: int, label: str, meaning: str, *, is_signed: bool) -> Picture:
        """Return bands, one row of numbers per input, pooled to `num_rows` lines; the first is `meaning`, if given.

        Numbers are 0 to 1, or signed and scaled by the largest one, which is added to the meaning.
        """
        columns = _pooled_columns(bands, num_rows - bool(meaning))
        scale = largest(columns) if is_signed else 1.0
        span_of_values = f", {-scale:.2f} to {scale:.2f}" if is_signed else ""
        heading: Picture = ((Span(meaning + span_of_values, "muted"),),) if meaning else ()
        rows = []
        for row in range(len(columns[0])):
            spans = [Span((label if row == 0 else "").ljust(_LABEL_CELLS), "title")]
            for place in self.visible:
                value = columns[place][row] / scale
                kind: Kind = "value" if place == self.cursor else "bar"
                spans += level_spans((value,), self.glyphs, is_signed=is_signed, cells=self.cells[place], kind=kind)
            rows.append(tuple(spans))
        return (*heading, *rows)


@lru_cache(8)  # a step of the cursor changes none of up to 500 columns
def _pooled_columns(bands: Bands, num_rows: int) -> tuple[tuple[float, ...], ...]:
    return tuple(pooled(column, num_rows) for column in bands)
