"""What the loss plot says in words: its legend, and the read-out at the cursor, in the frame's upper edge. Pure.

Entries come the most important first, and those that do not fit whole are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len

from engine.text import harmless
from tui.formatting.numbers import format_duration, format_learning_rate, shortened
from tui.run.series import Series
from tui.run.view import RunView
from tui.widgets.plot.cell_grid import Cells
from tui.widgets.plot.glyphs import PLOT_GLYPHS, StyleName
from tui.widgets.plot.pane import Pane
from tui.widgets.plot.scales import NATS_PER_UNIT, Unit

_WIDE_LEGEND_CELLS = 90
_MAX_NAME_CELLS = 24
_MAX_MARK_CELLS = 40
_DECIMALS: dict[Unit, int] = {"nats": 3, "bits": 2}


@dataclass(frozen=True)
class Entry:
    """One thing said: a symbol in its colour, and a text."""

    label: str
    symbol: str = ""
    style: StyleName = "tick"
    label_style: StyleName = "tick"

    @property
    def num_cells(self) -> int:
        """How wide it is, with a blank on either side."""
        return cell_len(self.label) + 2 + (cell_len(self.symbol) + 1 if self.symbol else 0)


FOCUS_HINT = Entry("arrows read and zoom", label_style="window")


def write_entries(cells: Cells, left: int, right: int, entries: Iterable[Entry]) -> int:
    """Write the entries that fit into the first row from `left` up to `right`, excluded; return where they end."""
    x = left
    for entry in entries:
        if x + entry.num_cells > right:
            break
        x = cells.write(x, 0, " ", "tick")
        if entry.symbol:
            x = cells.write(x, 0, entry.symbol, entry.style)
            x = cells.write(x, 0, " ", "tick")
        x = cells.write(x, 0, f"{entry.label} ", entry.label_style) + 1
    return x


def legend(
    view: RunView, pane: Pane, overlay: tuple[str, Series] | None, *, title: str, is_focused: bool
) -> Iterator[Entry]:
    """Yield what the curves are, and what the symbols on them."""
    glyphs, unit = PLOT_GLYPHS[pane.glyphs], pane.scale.unit
    is_long = pane.width >= _WIDE_LEGEND_CELLS
    yield Entry((f"{unit} per character" if is_long else f"{unit}/char") + (", log" if pane.scale.is_log else ""))
    if title:
        yield Entry(title, label_style="window")
    yield Entry("train", glyphs.line_sample, "line")
    if overlay is not None:
        yield Entry(shortened(harmless(overlay[0]), _MAX_NAME_CELLS), glyphs.overlay_sample, "overlay")
    if pane.peak is not None:
        yield Entry(f"up to {pane.peak / NATS_PER_UNIT[unit]:.2f}", glyphs.peak, "peak")
    if view.last_val is not None:
        yield Entry("validation", glyphs.validation, "validation")
    if (best := view.best) is not None:
        yield Entry(f"best {format_in(unit, best.val_loss)}", glyphs.best, "best")
    if is_focused:
        yield FOCUS_HINT
    yield Entry("every step", glyphs.band_sample, "band")


def readout(view: RunView, pane: Pane, step: int, overlay: tuple[str, Series] | None) -> Iterator[Entry]:
    """Yield what was so at a step: the column of the pane that it falls into, and the nearest evaluation and report."""
    unit, glyphs = pane.scale.unit, PLOT_GLYPHS[pane.glyphs]
    is_own = step >= view.train_losses.first_step  # before it, a branch shows the curve of the run before
    seconds = view.seconds.near(step) if is_own else None
    yield Entry(
        f"step {step:,}" + (f" at {format_duration(seconds)}" if seconds is not None else ""), label_style="readout"
    )
    marks = pane.marks_at(step, view.marks)
    if marks:
        more = f" and {len(marks) - 1} more" if len(marks) > 1 else ""
        yield Entry(shortened(harmless(marks[0].label), _MAX_MARK_CELLS) + more, label_style="mark")
    yield from _train_entries(pane, step)
    if view.val_points:
        nearest = min(view.val_points, key=lambda point: abs(point.step - step))
        at = "" if nearest.step == step else f" at {nearest.step:,}"
        yield Entry(f"{format_in(unit, nearest.val_loss)}{at}", glyphs.validation, "validation", "readout")
    if is_own and (rate := view.learning_rates.near(step)) is not None:
        yield Entry(f"rate {format_learning_rate(rate)}", label_style="readout")
    if overlay is not None and overlay[1].first_step <= step <= overlay[1].last_step:
        loss = overlay[1].near(step)
        name = shortened(harmless(overlay[0]), _MAX_NAME_CELLS)
        yield Entry(f"{name} {format_in(unit, loss or 0.0)}", glyphs.overlay_sample, "overlay", "readout")


def format_in(unit: Unit, nats: float) -> str:
    """Return a loss in a unit, with as many decimals as the status shows."""
    return f"{nats / NATS_PER_UNIT[unit]:.{_DECIMALS[unit]}f}"


def _train_entries(pane: Pane, step: int) -> Iterator[Entry]:
    """Yield smoothed loss and band in the column of a step."""
    column = pane.column_of(step)
    if column is None:
        return
    per_column = len(pane.smoothed) // pane.width
    dots = slice(column * per_column, (column + 1) * per_column)
    count = pane.train.count[dots].sum()
    if not count:
        return
    unit = pane.scale.unit
    yield Entry(f"train {format_in(unit, float(np.nanmean(pane.smoothed[dots])))}", label_style="readout")
    if count > 1:
        low, high = np.nanmin(pane.train.low[dots]), np.nanmax(pane.train.high[dots])
        band = f"{format_in(unit, float(low))} to {format_in(unit, float(high))}"
        yield Entry(band, PLOT_GLYPHS[pane.glyphs].band_sample, "band", "readout")
