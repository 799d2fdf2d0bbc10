"""`Picture`: all panes of the loss plot in one `CellGrid`, from a `RunView` and a `PlotView`. Needs no app.

Each pane's y axis is kept between drawings, so that it moves rarely. Heading and cursor are drawn over a copy of the
panes, so that moving the cursor is cheap.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from rich.cells import cell_len

from tui.run.branching import OverlayCurve
from tui.run.series.buckets import Floats, Ints
from tui.run.view import RunView, ValPoint
from tui.widgets.plot.cell_grid import CellGrid
from tui.widgets.plot.glyphs import PLOT_GLYPHS
from tui.widgets.plot.heading import HeadingEntry, draw_rule, heading, readout, write_entries, write_marks
from tui.widgets.plot.legend import draw_legend, meanings
from tui.widgets.plot.loss_axis import LossAxis
from tui.widgets.plot.mark_rows import draw_marks, is_stack, marks_of
from tui.widgets.plot.painter import LABEL_CELLS, draw_cursor, draw_pane, draw_window
from tui.widgets.plot.pane import Pane, PaneSpace, PlotOptions
from tui.widgets.plot.reference_lines import gutter_cells, shown_levels
from tui.widgets.plot.scales import Limits
from tui.widgets.plot.viewport import PaneKind, PlotView

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
