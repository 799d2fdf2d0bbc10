"""The text in the plot's heading: unit and hints, or the values at the cursor. Pure.

Entries are in order of importance; those that don't fit whole are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import numpy as np
from rich.cells import cell_len

from engine.text import sanitize_line
from tui.formatting.cells import wrap
from tui.formatting.loss_units import format_loss, unit_label
from tui.formatting.numbers import format_duration, format_learning_rate, shortened
from tui.run.branching import OverlayCurve
from tui.run.marks import Mark
from tui.run.view import RunView
from tui.widgets.plot.cell_grid import CellGrid
from tui.widgets.plot.glyphs import PLOT_GLYPHS, PlotGlyphs, StyleName
from tui.widgets.plot.pane import Pane

_WIDE_PANE_CELLS = 40
_MAX_NAME_CELLS = 24
_MAX_MARK_CELLS = 40


@dataclass(frozen=True)
class HeadingEntry:
    """A symbol in its style, possibly none, and a label."""

    label: str
    symbol: str = ""
    style: StyleName = "tick"
    label_style: StyleName = "tick"

    @property
    def num_cells(self) -> int:
        """Width including a space on either side."""
        return cell_len(self.label) + 2 + (cell_len(self.symbol) + 1 if self.symbol else 0)


FOCUS_HINT = HeadingEntry("arrows: cursor, zoom", label_style="window")


def draw_rule(cells: CellGrid, glyphs: PlotGlyphs, *, is_focused: bool) -> None:
    """Draw the line in which the heading is; it is heavy while the plot has the focus."""
    char = glyphs.focused if is_focused else glyphs.horizontal
    cells.draw_row(slice(None), 0, char, "focus" if is_focused else "axis")


def write_entries(cells: CellGrid, left: int, right: int, entries: Iterable[HeadingEntry]) -> None:
    """Write entries into the heading from `left` to `right`, exclusive, while they fit."""
    x = left
    for entry in entries:
        if x + entry.num_cells > right:
            break
        x = cells.write(x, 0, " ", "tick")
        if entry.symbol:
            x = cells.write(x, 0, entry.symbol, entry.style)
            x = cells.write(x, 0, " ", "tick")
        x = cells.write(x, 0, f"{entry.label} ", entry.label_style) + 1


def heading(pane: Pane, overlay: OverlayCurve | None, *, title: str, is_focused: bool) -> Iterator[HeadingEntry]:
    """Yield the unit, the steps in view, and what has no label beside its line."""
    glyphs, unit = PLOT_GLYPHS[pane.glyphs], pane.scale.unit
    name = f"{unit} per character" if pane.width >= _WIDE_PANE_CELLS else unit_label(unit)
    yield HeadingEntry(name + (", log" if pane.scale.is_log else ""), label_style="focus" if is_focused else "heading")
    if title:
        yield HeadingEntry(title, label_style="window")
    if overlay is not None:
        yield HeadingEntry(shortened(sanitize_line(overlay.run), _MAX_NAME_CELLS), glyphs.overlay_sample, "overlay")
    if pane.peak is not None:
        yield HeadingEntry(f"peak {format_loss(pane.peak, unit)}", glyphs.peak, "peak")
    if is_focused:
        yield FOCUS_HINT


def readout(view: RunView, pane: Pane, step: int, overlay: OverlayCurve | None) -> Iterator[HeadingEntry]:
    """Yield the values at a step: those of its column, and the nearest evaluation and learning rate."""
    unit, glyphs = pane.scale.unit, PLOT_GLYPHS[pane.glyphs]
    is_own = step >= view.train_losses.first_step and not pane.is_in_gap(step)  # before it, a branch shows its parent
    seconds = view.seconds.near(step) if is_own else None
    yield HeadingEntry(
        f"step {step:,}" + (f" at {format_duration(seconds)}" if seconds is not None else ""), label_style="readout"
    )
    yield from _train_entries(pane, step)
    if view.val_points:
        nearest = min(view.val_points, key=lambda point: abs(point.step - step))
        at = "" if nearest.step == step else f" at {nearest.step:,}"
        yield HeadingEntry(f"{format_loss(nearest.val_loss, unit)}{at}", glyphs.validation, "validation", "readout")
    if is_own and (rate := view.learning_rates.near(step)) is not None:
        yield HeadingEntry(f"lr {format_learning_rate(rate)}", label_style="readout")
    if overlay is not None and overlay.train_losses.first_step <= step <= overlay.train_losses.last_step:
        loss = overlay.train_losses.near(step)
        name = shortened(sanitize_line(overlay.run), _MAX_NAME_CELLS)
        yield HeadingEntry(f"{name} {format_loss(loss or 0.0, unit)}", glyphs.overlay_sample, "overlay", "readout")


def write_marks(cells: CellGrid, pane: Pane, step: int, marks: tuple[Mark, ...]) -> None:
    """Write the marks of the burst at a step below the heading, in as many rows as they need."""
    text = "; ".join(_by_kind(pane.marks_at(step, marks)))
    room, num_rows = pane.width - 2, max(pane.height // 2, 1)
    spans = wrap(text, room) if text else ()
    for row, (start, end) in enumerate(spans[:num_rows], start=1):
        is_cut = row == num_rows < len(spans)
        line = shortened(text[start:], room) if is_cut else text[start:end]
        cells.write(pane.left, row, f" {line} ", "mark")


def _by_kind(marks: Sequence[Mark]) -> Iterator[str]:
    """Yield the marks of each kind as one text: "learning rate 0.002, 0.004", "paused 3x"."""
    for kind, those in groupby(marks, attrgetter("kind")):
        texts: list[str] = []
        for label, same in groupby(mark.label for mark in those):
            text = shortened(sanitize_line(label), _MAX_MARK_CELLS)
            count = len(list(same))
            texts.append((text.removeprefix(f"{kind} ") if texts else text) + (f" {count}x" if count > 1 else ""))
        yield ", ".join(texts)


def _train_entries(pane: Pane, step: int) -> Iterator[HeadingEntry]:
    """Yield mean loss and range of the steps in the column of a step."""
    dots = pane.dots_of(step)
    count = pane.train.count[dots].sum()
    if not count:
        return
    unit = pane.scale.unit
    mean = float(np.nansum(pane.train.mean[dots] * pane.train.count[dots]) / count)
    over = f" over {count:,} steps" if count > 1 else ""
    yield HeadingEntry(f"train {format_loss(mean, unit)}{over}", label_style="readout")
    if count > 1:
        low, high = np.nanmin(pane.train.low[dots]), np.nanmax(pane.train.high[dots])
        band = f"{format_loss(float(low), unit)} to {format_loss(float(high), unit)}"
        yield HeadingEntry(band, PLOT_GLYPHS[pane.glyphs].band_sample, "band", "readout")
