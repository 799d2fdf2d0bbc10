"""`draw_pane`: draws one pane into the `CellGrid` of the picture: frame, ticks, band, curves, markers, letters.

A column of dots spans the lowest to the highest train loss of its steps. On top lie the smoothed curve, then validation
losses as markers. Never decides which steps are shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tui.run.marks import Mark
from tui.run.series.buckets import Floats, Ints
from tui.run.series.columns import columns_of
from tui.run.series.series import Series
from tui.run.view import RunView
from tui.widgets.plot.cell_grid import CellGrid, cell_chars, curve_dots
from tui.widgets.plot.glyphs import MARK_LETTERS, PLOT_GLYPHS, PlotGlyphs, StyleName
from tui.widgets.plot.pane import MARK_RANKS, Pane, PlotOptions
from tui.widgets.plot.scales import Limits, nice_ticks, step_labels

LABEL_CELLS = 6
"""Left of the frame, for the labels of the y axis."""
ROWS_AROUND = 3
"""Upper and lower edge of the frame, and the labels of the x axis."""
_CELLS_PER_STEP_TICK = 12
_ROWS_PER_LOSS_TICK = 2
_MIN_LOSS_TICKS = 4
_MARKER_CELLS = 3
"""Validation losses closer together than this are drawn as a curve."""


def draw_pane(
    cells: CellGrid,
    edges: tuple[int, int],
    steps: Limits,
    view: RunView,
    evaluations: tuple[Ints, Floats],
    options: PlotOptions,
    before: Limits | None,
) -> Pane | None:
    """Draw a pane between two columns of the grid, the second exclusive; return None if no value is in view.

    `evaluations` are the steps and losses of `view`; `before` is the previous y axis, kept if it still fits.
    """
    glyph_set = PLOT_GLYPHS[options.glyphs]
    dots_wide = glyph_set.weights.shape[1]
    left, width = edges[0] + LABEL_CELLS + 1, edges[1] - edges[0] - LABEL_CELLS - 2
    height = cells.height - ROWS_AROUND
    train = view.train_losses.columns(int(steps.low), int(steps.high), dots_wide * width)
    is_filled = train.count > 0
    if not is_filled.any():
        return None
    val_steps, val_losses = evaluations
    in_view = slice(*np.searchsorted(val_steps, [steps.low, steps.high + 1]))
    val_steps, val_losses = val_steps[in_view], val_losses[in_view]
    pane = Pane(
        left=left,
        width=width,
        height=height,
        steps=steps,
        losses=options.scale.limits(train.low[is_filled], train.high[is_filled], val_losses, before),
        scale=options.scale,
        glyphs=options.glyphs,
        train=train,
        smoothed=train.smoothed(),
    )
    painter = _PanePainter(cells, pane, glyph_set)
    painter.frame()
    painter.curve(train.low, train.high, "band")
    if options.overlay is not None:
        painter.overlay(options.overlay.train_losses)
    painter.curve(pane.smoothed, pane.smoothed, "line")
    painter.validation(val_steps, val_losses)
    if view.best is not None:
        painter.points([view.best.step], np.array([view.best.val_loss]), glyph_set.best, "best")
    painter.peaks()
    painter.marks(view.marks)
    return pane


@dataclass(frozen=True)
class _PanePainter:
    """Draws the parts of a pane, each over the previous ones."""

    cells: CellGrid
    pane: Pane
    glyph_set: PlotGlyphs

    def frame(self) -> None:
        """Draw the frame, with ticks at round steps and losses."""
        pane, glyphs = self.pane, self.glyph_set
        bottom = pane.height + 1
        for y, ends in ((0, glyphs.corners[:2]), (bottom, glyphs.corners[2:])):
            self.cells.write(pane.left - 1, y, ends[0] + glyphs.horizontal * pane.width + ends[1], "axis")
        for x in (pane.left - 1, pane.right):
            self.cells.fill(x, slice(1, bottom), glyphs.vertical, "axis")
        self._loss_ticks()
        self._step_ticks(bottom)

    def _loss_ticks(self) -> None:
        """Write the labels of the y axis."""
        max_ticks = max(self.pane.height // _ROWS_PER_LOSS_TICK + 1, _MIN_LOSS_TICKS)
        taken = set()
        for place, label in self.pane.scale.ticks(self.pane.losses, max_ticks):
            row = min(
                int((self.pane.losses.high - place) / self.pane.losses.span * self.pane.height), self.pane.height - 1
            )
            if row not in taken:
                taken.add(row)
                x = self.pane.left - 1
                self.cells.write(x - len(label) - 1, row + 1, label, "tick")
                self.cells.write(x, row + 1, self.glyph_set.loss_tick, "axis")

    def _step_ticks(self, bottom: int) -> None:
        """Write the labels of the x axis that fit without touching."""
        pane = self.pane
        ticks = nice_ticks(pane.steps, pane.width // _CELLS_PER_STEP_TICK + 1, min_interval=1)
        free_from = pane.left - LABEL_CELLS
        for tick, label in zip(ticks, step_labels(ticks), strict=True):
            column = pane.column_of(tick)
            if column is None:
                continue
            x = min(pane.left + column - (len(label) - 1) // 2, pane.right + 1 - len(label))
            if x >= free_from:
                self.cells.write(pane.left + column, bottom, self.glyph_set.step_tick, "axis")
                free_from = self.cells.write(x, bottom + 1, label, "tick") + 1

    def curve(self, low: Floats, high: Floats, style: StyleName) -> None:
        """Draw a band, or a curve if `low` and `high` are equal; nats, one value per column of dots."""
        heights = self.pane.scale.heights
        num_rows = self.glyph_set.weights.shape[0] * self.pane.height
        dots = curve_dots(heights(low), heights(high), self.pane.losses, num_rows)
        chars = self.glyph_set.band if style == "band" else self.glyph_set.line
        self.cells.stamp(self.pane.left, 1, cell_chars(dots, self.glyph_set.weights, chars), style)

    def overlay(self, series: Series) -> None:
        """Draw the smoothed curve of another run."""
        steps = self.pane.steps
        columns = series.columns(int(steps.low), int(steps.high), len(self.pane.smoothed))
        self.curve(columns.smoothed(), columns.smoothed(), "overlay")

    def validation(self, steps: Ints, losses: Floats) -> None:
        """Draw the validation losses in view as markers, or as a curve if they are too many."""
        if len(steps) * _MARKER_CELLS <= self.pane.width:
            self.points(steps.tolist(), losses, self.glyph_set.validation, "validation")
        else:
            first, last = int(self.pane.steps.low), int(self.pane.steps.high)
            columns = columns_of(steps.tolist(), losses.tolist(), first, last, len(self.pane.smoothed))
            self.curve(columns.low, columns.high, "validation")

    def points(self, steps: list[int], losses: Floats, marker: str, style: StyleName) -> None:
        """Draw a marker at each loss, in nats, that is in view."""
        pane = self.pane
        rows = (pane.losses.high - pane.scale.heights(losses)) / pane.losses.span * pane.height
        for step, row in zip(steps, rows.tolist(), strict=True):
            column = pane.column_of(step)
            if column is not None and 0 <= row <= pane.height:
                y = 1 + min(int(row), pane.height - 1)
                self.cells.fill(pane.left + column, slice(y, y + 1), marker, style)

    def peaks(self) -> None:
        """Mark the columns that exceed the y axis."""
        is_out = np.flatnonzero(self.pane.scale.heights(self.pane.train.high) > self.pane.losses.high)
        for column in sorted({int(x) // self.glyph_set.weights.shape[1] for x in is_out}):
            self.cells.fill(self.pane.left + column, slice(1, 2), self.glyph_set.peak, "peak")

    def marks(self, marks: tuple[Mark, ...]) -> None:
        """Write the letter of each mark in view onto the x axis."""
        best: dict[int, int] = {}
        for mark in marks:
            column = self.pane.column_of(mark.step)
            if column is not None:
                best[column] = min(MARK_RANKS[mark.kind], best.get(column, len(MARK_RANKS)))
        letters, y = list(MARK_LETTERS.values()), self.pane.height + 1
        for column, rank in best.items():
            self.cells.fill(self.pane.left + column, slice(y, y + 1), letters[rank], "mark")


def draw_window(cells: CellGrid, pane: Pane, window: Limits) -> None:
    """Highlight the part of a pane's x axis that another pane shows."""
    first = pane.column_of(max(window.low, pane.steps.low))
    last = pane.column_of(min(window.high, pane.steps.high))
    if first is None or last is None:
        return
    glyph_set = PLOT_GLYPHS[pane.glyphs]
    row = pane.height + 1
    for x in range(pane.left + first, pane.left + last + 1):
        if chr(cells.chars[row, x]) in glyph_set.horizontal:
            cells.write(x, row, glyph_set.window, "window")


def draw_cursor(cells: CellGrid, pane: Pane, step: int) -> None:
    """Draw the cursor at a step, if it is in view: a bar in empty cells, a colour in the others."""
    column = pane.column_of(step)
    if column is None:
        return
    rows, x = slice(1, pane.height + 1), pane.left + column
    covered = cells.chars[rows, x].copy()
    cells.fill(x, rows, PLOT_GLYPHS[pane.glyphs].cursor, "cursor")
    cells.chars[rows, x] = np.where(covered == ord(" "), cells.chars[rows, x], covered)
