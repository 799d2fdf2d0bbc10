"""`Pane`: the geometry of one pane of the picture, from steps and losses to cells. Pure; `painter` draws it.

`draw_pane`: draws one pane into the `CellGrid` of the picture: axes, lines across, band, curves, markers.

A column of dots spans the lowest to the highest train loss of its steps. On top lie the smoothed curve, then validation
losses as markers: a cell has one colour, that of the uppermost. Never decides which steps are shown.

`Picture`: all panes of the loss plot in one `CellGrid`, from a `RunView` and a `PlotView`. Needs no app.

Each pane's y axis is kept between drawings, so that it moves rarely. Heading and cursor are drawn over a copy of the
panes, so that moving the cursor is cheap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from tui.run.new_run import OverlayCurve
from tui.run.series import Columns, Floats, Ints, Series, columns_of
from tui.run.view import RunView, ValPoint
from tui.widgets.plot.axes import Limits, LossAxis, loss_axis, loss_range, nice_ticks, step_labels
from tui.widgets.plot.cells import (
    PLOT_GLYPHS,
    STYLE_NAMES,
    CellGrid,
    PlotGlyphs,
    StyleName,
    cell_chars,
    curve_dots,
)
from tui.widgets.plot.labels import (
    ACROSS,
    HeadingEntry,
    draw_labels,
    draw_legend,
    draw_lines,
    draw_marks,
    draw_rule,
    gutter_cells,
    heading,
    is_stack,
    marks_of,
    meanings,
    nats_of,
    next_level,
    readout,
    shown_levels,
    write_entries,
    write_marks,
)
from tui.widgets.plot.pane import Pane, PaneSpace, PlotOptions
from tui.widgets.plot.viewport import PaneKind, PlotView

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


_ROWS_AROUND = 3
"""Heading, x axis and its labels."""
_MIN_ROWS = 3
"""With fewer rows for the curve, no plot is drawn."""
_MIN_COLUMNS = 8
_ROWS_TO_STACK_MARKS = 9
"""From this height on, there is room for a second row of marks."""


class Picture:
    """Draws the plot, keeping the axes of the previous drawing."""

    def __init__(self) -> None:
        self.panes: dict[PaneKind, Pane] = {}
        """The panes of the last drawing, from left to right."""
        self.cells = CellGrid.blank(1, 1)
        """The last drawing, without heading and cursor."""
        self.num_legend_pages = 1
        """Of the legend, when it was drawn last."""
        self._num_mark_rows = 1
        self._view = RunView()
        self._plot_view = PlotView()
        self._options = PlotOptions()
        self._axes: dict[PaneKind, LossAxis] = {}
        self._val_points: tuple[ValPoint, ...] = ()
        self._val_curve: tuple[Ints, Floats] = _as_arrays(())

    def draw(self, view: RunView, plot_view: PlotView, options: PlotOptions, width: int, height: int) -> None:
        """Draw the panes."""
        if options.scale != self._options.scale:
            self._axes.clear()
        if view.val_points is not self._val_points:
            self._val_points, self._val_curve = view.val_points, _as_arrays(view.val_points)
        self._view, self._plot_view, self._options = view, plot_view, options
        self.cells, self.panes = CellGrid.blank(width, height), {}
        if not len(view.train_losses):
            text = "waiting for the first step"
            self.cells.write(max((width - cell_len(text)) // 2, 0), height // 2, text, "text")
        elif height - _ROWS_AROUND >= _MIN_ROWS and width // len(plot_view.panes) - LABEL_CELLS >= _MIN_COLUMNS:
            self._draw_panes(run_limits(view, options.overlay))

    def _draw_panes(self, run: Limits) -> None:
        """Draw each pane in its share of the width."""
        spaces = {kind: self._space(kind, place, run) for place, kind in enumerate(self._plot_view.panes)}
        marks = {kind: space.bursts(marks_of(self._view, self._options)) for kind, space in spaces.items()}
        has_room = self.cells.height - _ROWS_AROUND >= _ROWS_TO_STACK_MARKS
        has_stack = has_room and any(is_stack(*burst) for bursts in marks.values() for burst in bursts.items())
        self._num_mark_rows = 2 if has_stack else 1
        if has_stack:
            spaces = {kind: replace(space, height=space.height - 1) for kind, space in spaces.items()}
        for kind, space in spaces.items():
            before = self._axes.get(kind)
            pane = draw_pane(self.cells, space, self._view, self._val_curve, self._options, before)
            if pane is not None:
                self.panes[kind], self._axes[kind] = pane, pane.axis
        if {"whole", "recent"} <= self.panes.keys():
            draw_window(self.cells, self.panes["whole"], self.panes["recent"].steps)
        for kind, pane in self.panes.items():
            draw_marks(self.cells, pane, marks[kind], num_rows=self._num_mark_rows)

    def _space(self, kind: PaneKind, place: int, run: Limits) -> PaneSpace:
        """Return the place of a pane."""
        count = len(self._plot_view.panes)
        start, end = (self.cells.width * edge // count for edge in (place, place + 1))
        gutter = gutter_cells(end - start, self._options.scale.unit, shown_levels(self._view, self._options))
        return PaneSpace(
            left=start + LABEL_CELLS,
            width=end - start - LABEL_CELLS - gutter,
            gutter=gutter,
            height=self.cells.height - _ROWS_AROUND,
            steps=self._plot_view.limits(kind, run),
        )

    def with_labels(self, plot_view: PlotView, *, is_focused: bool, legend_page: int | None = None) -> CellGrid:
        """Return a copy of the drawing with heading or cursor and, over it, a page of the legend."""
        cells = self.cells.copy()
        if not self.panes:
            return cells
        self._write_heading(cells, plot_view, is_focused=is_focused)
        if legend_page is not None:
            panes = list(self.panes.values())
            found = meanings(self._view, panes, self._options, num_mark_rows=self._num_mark_rows)
            self.num_legend_pages = draw_legend(cells, panes[0], found, legend_page)
        elif plot_view.cursor is not None and (pane := self.pane_of(plot_view.cursor)) is not None:
            write_marks(cells, pane, plot_view.cursor, marks_of(self._view, self._options))
        return cells

    def _write_heading(self, cells: CellGrid, plot_view: PlotView, *, is_focused: bool) -> None:
        """Draw the heading, or the cursor and its values."""
        first, last = next(iter(self.panes.values())), next(reversed(self.panes.values()))
        overlay = self._options.overlay
        draw_rule(cells, PLOT_GLYPHS[first.glyphs], is_focused=is_focused)
        if plot_view.cursor is not None:
            for pane in self.panes.values():
                draw_cursor(cells, pane, plot_view.cursor)
            finest = self.pane_of(plot_view.cursor) or last
            write_entries(cells, 1, cells.width, readout(self._view, finest, plot_view.cursor, overlay))
            return
        is_alone, title = first is last, self._title(plot_view)
        entries = heading(first, overlay, title=title if is_alone else "", is_focused=is_focused)
        write_entries(cells, 1, cells.width if is_alone else first.right + first.gutter, entries)
        if not is_alone:
            write_entries(cells, last.left - 1, cells.width, [HeadingEntry(title, label_style="window")])

    def pane_of(self, step: float) -> Pane | None:
        """Return the pane of the finest resolution that shows a step."""
        return next((pane for pane in reversed(self.panes.values()) if pane.column_of(step) is not None), None)

    def pane_under(self, x: int) -> Pane | None:
        """Return the pane whose plot a column is in."""
        return next((pane for pane in self.panes.values() if pane.left <= x < pane.right), None)

    def _title(self, plot_view: PlotView) -> str:
        """Return which steps the last pane shows; empty if it is the whole run."""
        kind, run = plot_view.panes[-1], run_limits(self._view, self._options.overlay)
        limits = plot_view.limits(kind, run)
        if kind == "whole" and limits == plot_view.reset().limits(kind, run):
            return ""
        if plot_view.detail.first is None:
            return f"latest {limits.span:,.0f} steps"
        return f"steps {limits.low:,.0f} to {limits.high:,.0f}"


def run_limits(view: RunView, overlay: OverlayCurve | None) -> Limits:
    """Return the first and last step of a run's losses; a branch starts where its parent did."""
    first_step = view.train_losses.first_step
    if overlay is not None and len(overlay.train_losses):
        first_step = min(first_step, overlay.train_losses.first_step)
    return Limits(first_step, view.train_losses.last_step)


def _as_arrays(points: tuple[ValPoint, ...]) -> tuple[Ints, Floats]:
    """Return steps and losses of evaluations as arrays."""
    return np.array([point.step for point in points], np.int64), np.array([point.val_loss for point in points], float)
