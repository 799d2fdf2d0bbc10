"""`draw_pane`: draws one pane into the `CellGrid` of the picture: axes, lines across, band, curves, markers.

A column of dots spans the lowest to the highest train loss of its steps. On top lie the smoothed curve, then validation
losses as markers: a cell has one colour, that of the uppermost. Never decides which steps are shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tui.run.series.buckets import Floats, Ints
from tui.run.series.columns import Columns, columns_of
from tui.run.series.series import Series
from tui.run.view import RunView
from tui.widgets.plot.cell_grid import STYLE_NAMES, CellGrid, cell_chars, curve_dots
from tui.widgets.plot.glyphs import PLOT_GLYPHS, PlotGlyphs, StyleName
from tui.widgets.plot.loss_axis import LossAxis, loss_axis
from tui.widgets.plot.pane import Pane, PaneSpace, PlotOptions
from tui.widgets.plot.reference_lines import ACROSS, draw_labels, draw_lines, nats_of, next_level
from tui.widgets.plot.scales import Limits, loss_range, nice_ticks, step_labels

LABEL_CELLS = 6
"""Left of the plot, for the labels of the y axis."""
_CELLS_PER_STEP_TICK = 12
_ROWS_FOR_THICK_LINE = 12
"""From this height on, the curve of the run is two dots thick."""
_STEPS_OF_FALL, _FALL = 100, 0.5
"""In the first steps the y axis has room for the fall to this share of the first loss, so that it need not move."""
_MARKER_CELLS = 3
"""Validation losses closer together than this are drawn as a curve."""


def draw_pane(
    cells: CellGrid,
    space: PaneSpace,
    view: RunView,
    evaluations: tuple[Ints, Floats],
    options: PlotOptions,
    before: LossAxis | None,
) -> Pane | None:
    """Draw a pane, without its labels of lines and marks; return None if no value is in view.

    `evaluations` are the steps and losses of `view`; `before` is the previous y axis, kept if it still fits.
    """
    glyph_set, steps = PLOT_GLYPHS[options.glyphs], space.steps
    train = view.train_losses.columns(int(steps.low), int(steps.high), glyph_set.weights.shape[1] * space.width)
    if not train.count.any():
        return None
    val_steps, val_losses = evaluations
    in_view = slice(*np.searchsorted(val_steps, [steps.low, steps.high + 1]))
    val_steps, val_losses = val_steps[in_view], val_losses[in_view]
    pane = Pane(
        **vars(space),
        axis=_axis(train, val_losses, view, options, space.height, before),
        scale=options.scale,
        glyphs=options.glyphs,
        train=train,
        smoothed=train.smoothed(),
    )
    painter = _PanePainter(cells, pane, glyph_set)
    painter.axes()
    draw_lines(cells, pane, view, options)
    painter.curve(train.low, train.high, train.is_gap, "band")
    if options.overlay is not None:
        painter.overlay(options.overlay.train_losses)
    has_val_curve = len(val_steps) * _MARKER_CELLS > pane.width
    if has_val_curve:
        painter.val_curve(val_steps, val_losses)
    painter.curve(pane.smoothed, pane.smoothed, train.is_gap, "line")
    if not has_val_curve:
        painter.points(val_steps.tolist(), val_losses, glyph_set.validation, "validation")
    if view.best is not None:
        painter.points([view.best.step], np.array([view.best.val_loss]), glyph_set.best, "best")
    painter.spikes()
    draw_labels(cells, pane, view, options)
    return pane


def _axis(
    train: Columns, val_losses: Floats, view: RunView, options: PlotOptions, num_rows: int, before: LossAxis | None
) -> LossAxis:
    """Return the y axis for the columns in view and their evaluations, with room for what is to come.

    That is the fall with which a run starts, and the level to beat if it is near.
    """
    heights, is_filled = options.scale.heights, train.count > 0
    low, high = train.low[is_filled], train.high[is_filled]
    if view.train_losses.first_step <= 1 and view.train_losses.last_step <= _STEPS_OF_FALL:
        val_losses = np.append(val_losses, _FALL * high.max())
    level = next_level(view, options, float(low.min()))
    target = None if level is None else float(heights(np.array([nats_of(level)]))[0])
    needed = loss_range(heights(low), heights(high), heights(val_losses), target)
    return loss_axis(needed.low, needed.high, num_rows, before, is_log=options.scale.is_log)


@dataclass(frozen=True)
class _PanePainter:
    """Draws the parts of a pane, each over the previous ones."""

    cells: CellGrid
    pane: Pane
    glyph_set: PlotGlyphs

    def axes(self) -> None:
        """Draw the x axis, and the labels of both axes at round steps and losses."""
        pane, y = self.pane, self.pane.height + 1
        self.cells.draw_row(slice(pane.left, pane.right), y, self.glyph_set.horizontal, "axis")
        for row, label in pane.axis.ticks:
            self.cells.write(max(pane.left - 1 - len(label), pane.left - LABEL_CELLS), row + 1, label, "tick")
        self._step_ticks(y)

    def _step_ticks(self, y: int) -> None:
        """Write the labels of the x axis that fit without touching."""
        pane, labels_at = self.pane, self.cells.height - 1
        ticks = nice_ticks(pane.steps, pane.width // _CELLS_PER_STEP_TICK + 1, min_interval=1)
        free_from = pane.left - LABEL_CELLS
        for tick, label in zip(ticks, step_labels(ticks), strict=True):
            column = pane.column_of(tick)
            if column is None:
                continue
            x = min(pane.left + column - (len(label) - 1) // 2, pane.right - len(label))
            if x >= free_from:
                self.cells.write(pane.left + column, y, self.glyph_set.step_tick, "axis")
                free_from = self.cells.write(x, labels_at, label, "tick") + 1
        if free_from + len("step") < pane.right + pane.gutter:
            self.cells.write(pane.right + 1, labels_at, "step"[: pane.gutter - 1], "tick")

    def curve(self, low: Floats, high: Floats, is_gap: NDArray[np.bool_], style: StyleName) -> None:
        """Draw a band, or a curve if `low` and `high` are equal; nats, one value per column of dots."""
        heights = self.pane.scale.heights
        num_rows = self.glyph_set.weights.shape[0] * self.pane.height
        dots = curve_dots(heights(low), heights(high), is_gap, self.pane.axis.limits, num_rows)
        if style == "line" and self.glyph_set.is_fine and self.pane.height >= _ROWS_FOR_THICK_LINE:
            dots[1:] |= dots[:-1]
        chars = {"band": self.glyph_set.band, "validation": self.glyph_set.val_curve}.get(style, self.glyph_set.line)
        self.cells.stamp(self.pane.left, 1, cell_chars(dots, self.glyph_set.weights, chars), style)

    def overlay(self, series: Series) -> None:
        """Draw the smoothed curve of another run."""
        steps = self.pane.steps
        columns = series.columns(int(steps.low), int(steps.high), len(self.pane.smoothed))
        self.curve(columns.smoothed(), columns.smoothed(), columns.is_gap, "overlay")

    def val_curve(self, steps: Ints, losses: Floats) -> None:
        """Draw the validation losses in view as a curve, with the gaps of the run."""
        first, last = int(self.pane.steps.low), int(self.pane.steps.high)
        columns = columns_of(steps.tolist(), losses.tolist(), first, last, len(self.pane.smoothed))
        self.curve(columns.low, columns.high, self.pane.train.is_gap, "validation")

    def points(self, steps: list[int], losses: Floats, marker: str, style: StyleName) -> None:
        """Draw a marker at each loss, in nats, that is in view."""
        for step, nats in zip(steps, losses.tolist(), strict=True):
            column, row = self.pane.column_of(step), self.pane.row_of(nats)
            if column is not None and row is not None:
                self.cells.fill(self.pane.left + column, slice(row + 1, row + 2), marker, style)

    def spikes(self) -> None:
        """Mark the columns that exceed the y axis."""
        is_spike = self.pane.is_spike.reshape(self.pane.width, -1).any(axis=1)
        for column in np.flatnonzero(is_spike).tolist():
            self.cells.fill(self.pane.left + column, slice(1, 2), self.glyph_set.peak, "peak")


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
    covered, styles = cells.chars[rows, x].copy(), cells.styles[rows, x].copy()
    cells.fill(x, rows, PLOT_GLYPHS[pane.glyphs].cursor, "cursor")
    is_empty = (covered == ord(" ")) | np.isin(styles, [STYLE_NAMES.index(name) for name in ACROSS])
    cells.chars[rows, x] = np.where(is_empty, cells.chars[rows, x], covered)
