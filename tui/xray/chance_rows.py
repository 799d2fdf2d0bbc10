"""The most probable next characters as rows of bars, the true one marked."""

from __future__ import annotations

from engine.protocol.events import CharChance, CharRead
from tui.text.cells import cell_len
from tui.text.numbers import shown_percent
from tui.xray.glyphs import Glyphs, chance_of
from tui.xray.layout import cut
from tui.xray.spans import Picture, Span

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
