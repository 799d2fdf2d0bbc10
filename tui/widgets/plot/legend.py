"""The legend of the plot, drawn over a part of it: what each line, point and letter in view means.

In as many columns as there is room for; what does not fit is on the next page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from engine.text import sanitize_line
from tui.formatting.loss_units import format_loss
from tui.formatting.numbers import shortened
from tui.run.marks import Mark
from tui.run.view import RunView
from tui.widgets.plot.cell_grid import CellGrid
from tui.widgets.plot.glyphs import MARK_LETTERS, MARK_MEANINGS, PLOT_GLYPHS, StyleName
from tui.widgets.plot.mark_rows import is_stack, marks_of
from tui.widgets.plot.pane import Pane, PlotOptions
from tui.widgets.plot.reference_lines import nats_of, shown_levels

_SYMBOL_CELLS = 4


@dataclass(frozen=True)
class Meaning:
    """A symbol and what it means."""

    symbol: str
    style: StyleName
    text: str


def meanings(view: RunView, panes: Sequence[Pane], options: PlotOptions, *, num_mark_rows: int) -> list[Meaning]:
    """Return the meanings of what is drawn, lines first; the letters of marks are in `num_mark_rows`."""
    marks = [mark for mark in marks_of(view, options) if any(pane.column_of(mark.step) is not None for pane in panes)]
    bursts = [burst for pane in panes for burst in pane.bursts(tuple(marks)).items()]
    is_counted = any(len(burst[1]) > (num_mark_rows if is_stack(*burst) else 2) for burst in bursts)
    counts = [Meaning("2-9", "mark", "number of marks close together; +: more than 9")] if is_counted else []
    return [*_lines(view, panes, options), *_levels(view, options), *_marks(marks), *counts]


def draw_legend(cells: CellGrid, pane: Pane, found: Sequence[Meaning], page: int) -> int:
    """Draw a page of the legend over a pane, below the heading; return the number of pages."""
    num_rows, room = cells.height - 2, cells.width - pane.left
    needed = _SYMBOL_CELLS + max(cell_len(meaning.text) for meaning in found) + 2
    num_columns = max(min(room // needed, -(-len(found) // num_rows)), 1)
    per_page = num_rows * num_columns
    num_pages = -(-len(found) // per_page)
    page = min(page, num_pages - 1)  # the plot may have had more pages before it was resized
    shown = found[page * per_page : (page + 1) * per_page]
    num_rows = -(-len(shown) // num_columns)
    width = min(needed, room)
    covered = width * num_columns if pane.left + width * num_columns <= pane.right else room
    for row in range(num_rows + 1):
        cells.draw_row(slice(pane.left, pane.left + covered), 1 + row, " ", "text")
    for number, meaning in enumerate(shown):
        column, row = divmod(number, num_rows)
        x = pane.left + 1 + column * width
        cells.write(x, 1 + row, meaning.symbol, meaning.style)
        cells.write(x + _SYMBOL_CELLS, 1 + row, shortened(meaning.text, width - _SYMBOL_CELLS - 2), "readout")
    more = f"again: page {page + 2} of {num_pages}, " if page + 1 < num_pages else ""
    cells.write(pane.left + 1, 1 + num_rows, shortened(f"{more}esc: close", covered - 2), "tick")
    return num_pages


def _lines(view: RunView, panes: Sequence[Pane], options: PlotOptions) -> Iterator[Meaning]:
    """Yield the meanings of curves and points."""
    glyphs, unit = PLOT_GLYPHS[options.glyphs], options.scale.unit
    yield Meaning(glyphs.line_sample, "line", "train loss, smoothed")
    yield Meaning(glyphs.band_sample, "band", "train losses of single steps")
    if options.overlay is not None:
        yield Meaning(glyphs.overlay_sample, "overlay", f"train loss of {sanitize_line(options.overlay.run)}")
    peaks = [pane.peak for pane in panes if pane.peak is not None]
    if peaks:
        yield Meaning(glyphs.peak, "peak", f"steps above the plot, up to {format_loss(max(peaks), unit)}")
    if view.val_points:
        yield Meaning(glyphs.validation, "validation", "validation: held-out tweets")
    if (best := view.best) is not None:
        yield Meaning(glyphs.best, "best", f"best: {format_loss(best.val_loss, unit)} at step {best.step:,}")


def _levels(view: RunView, options: PlotOptions) -> Iterator[Meaning]:
    """Yield the meanings of levels."""
    glyphs = PLOT_GLYPHS[options.glyphs]
    sample = f"{glyphs.level[len(glyphs.level) // 2]} {glyphs.level[len(glyphs.level) // 2]}"
    for level in shown_levels(view, options):
        loss = format_loss(nats_of(level), options.scale.unit)
        state = "to beat"
        if level.crossed_at is not None:
            state = f"beaten at {level.crossed_at:,}" + ("" if view.is_beaten(level) else ", to beat again")
        yield Meaning(sample, "level_label", f"{loss} {level.name}, {state}: {level.meaning}")


def _marks(marks: Sequence[Mark]) -> Iterator[Meaning]:
    """Yield the meanings of the letters in view, with how often each occurs."""
    counts = Counter(mark.kind for mark in marks)
    for kind, letter in MARK_LETTERS.items():
        if count := counts[kind]:
            times = "" if count == 1 else f", {count:,}x"
            yield Meaning(letter, "mark", MARK_MEANINGS[kind] + times)
