"""`Picture`: all panes of the loss plot in one `CellGrid`, from a `RunView` and a `Viewport`. Needs no app.

A column of dots spans the lowest to the highest train loss of its steps. On top lie the smoothed curve, then validation
losses as markers: a cell has one colour, that of the uppermost. Each pane's y axis is kept between drawings, so that it
moves rarely. Heading and cursor are drawn over a copy of the panes, so that moving the cursor is cheap.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np

from engine.protocol.events import EvalFinished
from tui.run.series import Columns, columns_of
from tui.run.view import RunView
from tui.text.cells import cell_len
from tui.widgets.plot.axes import Limits, LossAxis, loss_axis, loss_range, step_ticks
from tui.widgets.plot.cells import STYLE_NAMES, CellGrid, StyleName, curve_dots
from tui.widgets.plot.labels import (
    ACROSS,
    bursts,
    draw_labels,
    draw_legend,
    draw_lines,
    draw_marks,
    entry,
    gutter_cells,
    heading,
    is_stack,
    nats_of,
    readout,
    write_entries,
    write_marks,
)
from tui.widgets.plot.pane import Pane, PlotOptions
from tui.widgets.plot.viewport import PaneKind, Viewport

LABEL_CELLS = 6
"""Columns left of the plot, for the labels of the y axis."""
_ROWS_AROUND = 3
"""Heading, x axis and its labels."""
_MIN_ROWS, _MIN_COLUMNS = 3, 8
"""Least size of the plot itself; with less, nothing is drawn."""
_ROWS_TO_STACK_MARKS = 9
"""From this height on, there is room for a second row of marks."""
_ROWS_FOR_THICK_LINE = 12
"""From this height on, the curve of the run is two dots thick, where dots are fine."""
_CELLS_PER_STEP_TICK = 12
_STEPS_OF_FALL, _FALL = 100, 0.5
"""In the first steps the y axis has room for the fall to this share of the first loss, so that it need not move."""
_MARKER_CELLS = 3
"""Validation losses closer together than this are drawn as a curve."""
_CURVE_MARKER_CELLS = 8
"""That curve has a marker in every so many cells, so that it is not taken for another one."""
_DASH_CELLS = 2
"""Length of a dash of the curve of another run, with a gap of a cell behind it."""


class Picture:
    """Draws the plot, keeping the axes of the previous drawing."""

    def __init__(self) -> None:
        self.panes: dict[PaneKind, Pane] = {}
        """The panes of the last drawing, from left to right."""
        self.cells = CellGrid.blank(1, 1)
        """The last drawing, without heading and cursor."""
        self.num_legend_pages = 1
        """The pages of the last drawing of the legend."""
        self._num_mark_rows = 1
        self.options = PlotOptions()
        self._axes: dict[PaneKind, LossAxis] = {}

    def draw(self, view: RunView, viewport: Viewport, options: PlotOptions, width: int, height: int) -> None:
        if (options.unit, options.is_log) != (self.options.unit, self.options.is_log):
            self._axes.clear()
        self.options, self.cells, self.panes = options, CellGrid.blank(width, height), {}
        num_panes, num_rows = len(viewport.panes), height - _ROWS_AROUND
        if not len(view.train_losses):
            text = "waiting for the first step"
            self.cells.write(max((width - cell_len(text)) // 2, 0), height // 2, text, "text")
        if not len(view.train_losses) or num_rows < _MIN_ROWS or width // num_panes - LABEL_CELLS < _MIN_COLUMNS:
            return
        for number, kind in enumerate(viewport.panes):
            left, end = width * number // num_panes + LABEL_CELLS, width * (number + 1) // num_panes
            pane = _pane(view, options, left, end, viewport.limits(kind))
            if pane.train.count.any():
                self.panes[kind] = pane
        has_stack = any(is_stack(*burst) for pane in self.panes.values() for burst in bursts(pane))
        self._num_mark_rows = 2 if has_stack and num_rows >= _ROWS_TO_STACK_MARKS else 1
        for kind, pane in self.panes.items():
            axis = _axis(pane, num_rows + 1 - self._num_mark_rows, self._axes.get(kind))
            self.panes[kind], self._axes[kind] = replace(pane, axis=axis), axis
            _draw_pane(self.cells, self.panes[kind])
        if {"whole", "recent"} <= self.panes.keys():
            _draw_window(self.cells, self.panes["whole"], self.panes["recent"].steps)
        for pane in self.panes.values():
            draw_marks(self.cells, pane, num_rows=self._num_mark_rows)

    def with_labels(self, viewport: Viewport, *, is_focused: bool, legend_page: int | None = None) -> CellGrid:
        """Return a copy of the drawing with heading or cursor and, over it, a page of the legend."""
        cells = self.cells.copy()
        if not self.panes:
            return cells
        panes, glyphs = list(self.panes.values()), self.options.glyphs
        first, last, cursor = panes[0], panes[-1], viewport.cursor
        rule = glyphs.heavy if is_focused else glyphs.horizontal
        cells.fill(slice(None), 0, rule, "focus" if is_focused else "axis")
        if cursor is not None:
            for pane in panes:
                _draw_cursor(cells, pane, cursor)
            write_entries(cells, 1, cells.width, readout(self.pane_of(cursor), cursor))
        else:
            is_alone, title = first is last, _title(viewport, last)
            end = cells.width if is_alone else first.right + first.gutter
            write_entries(cells, 1, end, heading(first, title if is_alone else "", is_focused=is_focused))
            if not is_alone:
                write_entries(cells, last.left - 1, cells.width, [entry(title, "window")])
        if legend_page is not None:
            self.num_legend_pages = draw_legend(cells, panes, legend_page, num_mark_rows=self._num_mark_rows)
        elif cursor is not None:
            write_marks(cells, self.pane_of(cursor), cursor)
        return cells

    def pane_of(self, step: float) -> Pane:
        """Return the pane of the finest resolution that shows a step; the last one if the step is out of view."""
        *_, last = self.panes.values()
        return next((pane for pane in reversed(self.panes.values()) if pane.column_of(step) is not None), last)

    def pane_under(self, x: int) -> Pane | None:
        """Return the pane whose plot a column is in."""
        return next((pane for pane in self.panes.values() if pane.left <= x < pane.right), None)


def _pane(view: RunView, options: PlotOptions, left: int, end: int, steps: Limits) -> Pane:
    """Return a pane from `left` to `end`, gutter included, without its axis."""
    gutter = gutter_cells(end - left + LABEL_CELLS, options.unit, view.baselines if options.shows_levels else ())
    width = end - left - gutter
    num_dots = options.glyphs.weights.shape[1] * width
    return Pane(
        view=view,
        options=options,
        left=left,
        width=width,
        gutter=gutter,
        steps=steps,
        axis=LossAxis(0, 1.0, 1),
        train=view.train_losses.columns(int(steps.low), int(steps.high), num_dots),
    )


def _axis(pane: Pane, num_rows: int, before: LossAxis | None) -> LossAxis:
    """Return the y axis for the columns in view and their evaluations: `before`, if it still fits.

    It has room for what is to come: the fall with which a run starts, and the baseline to beat if it is near.
    """
    view, heights, is_filled = pane.view, pane.options.heights, pane.train.count > 0
    low, high = pane.train.low[is_filled], pane.train.high[is_filled]
    others = np.array([point.val_loss for point in pane.val_points])
    if view.train_losses.first_step <= 1 and view.train_losses.last_step <= _STEPS_OF_FALL:
        others = np.append(others, _FALL * high.max())
    below = [
        nats for baseline in pane.baselines if not view.is_beaten(baseline) and (nats := nats_of(baseline)) < low.min()
    ]
    target = float(heights(np.array([max(below)]))[0]) if below else None
    needed = loss_range(heights(low), heights(high), heights(others), target)
    return loss_axis(needed.low, needed.high, num_rows, before, is_log=pane.options.is_log)


def _draw_pane(cells: CellGrid, pane: Pane) -> None:
    """Draw a pane without its marks, each part over the previous ones."""
    glyphs, overlay, best, train = pane.options.glyphs, pane.options.overlay, pane.view.best, pane.train
    columns = int(pane.steps.low), int(pane.steps.high), len(train.count)
    _draw_axes(cells, pane)
    draw_lines(cells, pane)
    _draw_curve(cells, pane, train, "band")
    if overlay is not None:
        _draw_curve(cells, pane, overlay.train_losses.columns(*columns), "overlay")
    points = pane.val_points
    has_val_curve = len(points) * _MARKER_CELLS > pane.width
    if has_val_curve:
        val = columns_of([point.step for point in points], [point.val_loss for point in points], *columns)
        _draw_curve(cells, pane, replace(val, is_gap=train.is_gap), "validation")
    _draw_curve(cells, pane, train, "line")
    if has_val_curve:
        by_place = groupby(points, lambda point: (pane.column_of(point.step) or 0) // _CURVE_MARKER_CELLS)
        points = [next(near) for _, near in by_place]
    markers: list[tuple[EvalFinished, str, StyleName]] = [(point, glyphs.validation, "validation") for point in points]
    if best is not None:
        markers.append((best, glyphs.best, "best"))
    for point, marker, style in markers:
        column, row = pane.column_of(point.step), pane.row_of(point.val_loss)
        if column is not None and row is not None:
            cells.fill(pane.left + column, row + 1, marker, style)
    is_spike = pane.is_spike.reshape(pane.width, -1).any(axis=1)
    cells.fill(pane.left + np.flatnonzero(is_spike), 1, glyphs.peak, "peak")
    draw_labels(cells, pane)


def _draw_axes(cells: CellGrid, pane: Pane) -> None:
    """Draw the x axis, and the labels of both axes at round steps and losses; those of steps never touch."""
    glyphs, y, labels_at = pane.options.glyphs, pane.height + 1, cells.height - 1
    cells.fill(slice(pane.left, pane.right), y, glyphs.horizontal, "axis")
    for row, label in pane.axis.ticks:
        cells.write(max(pane.left - 1 - len(label), pane.left - LABEL_CELLS), row + 1, label, "tick")
    free_from = pane.left - LABEL_CELLS
    for tick, label in step_ticks(pane.steps, pane.width // _CELLS_PER_STEP_TICK + 1):
        column = pane.column_of(tick)
        x = min(pane.left + (column or 0) - (len(label) - 1) // 2, pane.right - len(label))
        if column is not None and x >= free_from:
            cells.write(pane.left + column, y, glyphs.step_tick, "axis")
            free_from = cells.write(x, labels_at, label, "tick") + 1
    if free_from + len("step") < pane.right + pane.gutter:
        cells.write(pane.right + 1, labels_at, "step"[: pane.gutter - 1], "tick")


def _draw_curve(cells: CellGrid, pane: Pane, columns: Columns, style: StyleName) -> None:
    """Draw the losses in columns of dots: from the lowest to the highest, or smoothed for a line and an overlay."""
    glyphs, heights, low, high = pane.options.glyphs, pane.options.heights, columns.low, columns.high
    if style in {"line", "overlay"}:
        low = high = columns.smoothed()
    num_rows = glyphs.weights.shape[0] * pane.height
    dots = curve_dots(heights(low), heights(high), columns.is_gap, pane.axis.limits, num_rows)
    if style == "overlay":
        dots.reshape(num_rows, pane.width, -1)[:, _DASH_CELLS :: _DASH_CELLS + 1] = False
    if style == "line" and glyphs.is_fine and pane.height >= _ROWS_FOR_THICK_LINE:
        dots[1:] |= dots[:-1]
    chars = {"band": glyphs.band, "overlay": glyphs.overlay, "validation": glyphs.val_curve}.get(style, glyphs.line)
    cells.draw_dots(pane.left, 1, dots, glyphs, chars, style)


def _draw_window(cells: CellGrid, pane: Pane, window: Limits) -> None:
    """Highlight the part of a pane's x axis that another pane shows."""
    first, last = pane.column_of(max(window.low, pane.steps.low)), pane.column_of(min(window.high, pane.steps.high))
    if first is not None and last is not None:
        y, glyphs = pane.height + 1, pane.options.glyphs
        shown = np.arange(pane.left + first, pane.left + last + 1)
        cells.fill(shown[cells.chars[y, shown] == ord(glyphs.horizontal)], y, glyphs.heavy, "window")


def _draw_cursor(cells: CellGrid, pane: Pane, step: int) -> None:
    """Draw the cursor at a step, if it is in view: a bar in empty cells, a colour in the others."""
    column = pane.column_of(step)
    if column is None:
        return
    rows, x = slice(1, pane.height + 1), pane.left + column
    covered, styles = cells.chars[rows, x].copy(), cells.styles[rows, x].copy()
    cells.fill(x, rows, pane.options.glyphs.cursor, "cursor")
    is_empty = (covered == ord(" ")) | np.isin(styles, [STYLE_NAMES.index(name) for name in ACROSS])
    cells.chars[rows, x] = np.where(is_empty, cells.chars[rows, x], covered)


def _title(viewport: Viewport, pane: Pane) -> str:
    """Return which steps the last pane shows; empty if it is the whole run."""
    if viewport.panes[-1] == "whole" and pane.steps == viewport.whole_run:
        return ""
    if viewport.detail.first is None:
        return f"latest {pane.steps.span:,.0f} steps"
    return f"steps {pane.steps.low:,.0f} to {pane.steps.high:,.0f}"
