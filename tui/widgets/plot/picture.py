"""`Picture`: all panes of the loss plot in one `CellGrid`, from a `RunView` and a `PlotView`. Needs no app.

Each pane's y axis is kept between drawings, so that it moves rarely. Legend and cursor are drawn over a copy of the
panes, so that moving the cursor is cheap.
"""

from __future__ import annotations

import numpy as np
from rich.cells import cell_len

from tui.run.branching import OverlayCurve
from tui.run.series.buckets import Floats, Ints
from tui.run.view import RunView, ValPoint
from tui.widgets.plot.cell_grid import CellGrid
from tui.widgets.plot.legend import FOCUS_HINT, LegendEntry, legend, readout, write_entries
from tui.widgets.plot.painter import LABEL_CELLS, ROWS_AROUND, draw_cursor, draw_pane, draw_window
from tui.widgets.plot.pane import Pane, PlotOptions
from tui.widgets.plot.scales import Limits
from tui.widgets.plot.viewport import PaneKind, PlotView

_MIN_ROWS = 3
"""With fewer rows inside the frame, no plot is drawn."""
_MIN_COLUMNS = 8


class Picture:
    """Draws the plot, keeping the axes of the previous drawing."""

    def __init__(self) -> None:
        self.panes: dict[PaneKind, Pane] = {}
        """The panes of the last drawing, from left to right."""
        self.cells = CellGrid.blank(1, 1)
        """The last drawing, without labels and cursor."""
        self._view = RunView()
        self._plot_view = PlotView()
        self._options = PlotOptions()
        self._loss_limits: dict[PaneKind, Limits] = {}
        self._val_points: tuple[ValPoint, ...] = ()
        self._val_curve: tuple[Ints, Floats] = _as_arrays(())

    def draw(self, view: RunView, plot_view: PlotView, options: PlotOptions, width: int, height: int) -> None:
        """Draw the panes."""
        if options.scale != self._options.scale:
            self._loss_limits.clear()
        if view.val_points is not self._val_points:
            self._val_points, self._val_curve = view.val_points, _as_arrays(view.val_points)
        self._view, self._plot_view, self._options = view, plot_view, options
        self.cells, self.panes = CellGrid.blank(width, height), {}
        if not len(view.train_losses):
            text = "waiting for the first step"
            self.cells.write(max((width - cell_len(text)) // 2, 0), height // 2, text, "text")
        elif height - ROWS_AROUND >= _MIN_ROWS and width // len(plot_view.panes) - LABEL_CELLS - 2 >= _MIN_COLUMNS:
            self._draw_panes(run_limits(view, options.overlay))

    def _draw_panes(self, run: Limits) -> None:
        """Draw each pane in its share of the width."""
        kinds = self._plot_view.panes
        for place, kind in enumerate(kinds):
            left, right = (self.cells.width * edge // len(kinds) for edge in (place, place + 1))
            steps, before = self._plot_view.limits(kind, run), self._loss_limits.get(kind)
            pane = draw_pane(self.cells, (left, right), steps, self._view, self._val_curve, self._options, before)
            if pane is not None:
                self.panes[kind], self._loss_limits[kind] = pane, pane.losses
        if {"whole", "recent"} <= self.panes.keys():
            draw_window(self.cells, self.panes["whole"], self.panes["recent"].steps)

    def with_labels(self, plot_view: PlotView, *, is_focused: bool) -> CellGrid:
        """Return a copy of the drawing with the cursor and its values, or else the legend."""
        cells = self.cells.copy()
        if not self.panes:
            return cells
        first, last = next(iter(self.panes.values())), next(reversed(self.panes.values()))
        title = self._title(plot_view)
        overlay = self._options.overlay
        if plot_view.cursor is not None:
            for pane in self.panes.values():
                draw_cursor(cells, pane, plot_view.cursor)
            finest = self.pane_of(plot_view.cursor) or last
            write_entries(cells, first.left, last.right, readout(self._view, finest, plot_view.cursor, overlay))
            return cells
        is_alone = first is last
        entries = legend(
            self._view, first, overlay, title=title if is_alone else "", is_focused=is_focused and is_alone
        )
        write_entries(cells, first.left, first.right, entries)
        if not is_alone:
            hints = [FOCUS_HINT] if is_focused else []
            write_entries(cells, last.left, last.right, [LegendEntry(title, label_style="window"), *hints])
        return cells

    def pane_of(self, step: float) -> Pane | None:
        """Return the pane of the finest resolution that shows a step."""
        return next((pane for pane in reversed(self.panes.values()) if pane.column_of(step) is not None), None)

    def pane_under(self, x: int) -> Pane | None:
        """Return the pane inside whose frame a column is."""
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
