"""`Picture`: the loss plot as cells, from a `RunView` and what the user looks at; needs no app and no terminal.

It keeps each pane's y axis from one drawing to the next, so that the axis moves seldom. First come the panes, then over
a copy of them legend or cursor and read-out, so that a cursor that moves costs little.
"""

from __future__ import annotations

import numpy as np
from rich.cells import cell_len

from tui.run.buckets import Floats, Ints
from tui.run.series import Series
from tui.run.view import RunView, ValPoint
from tui.widgets.plot.cell_grid import Cells
from tui.widgets.plot.legend import FOCUS_HINT, Entry, legend, readout, write_entries
from tui.widgets.plot.pane import LABEL_CELLS, ROWS_AROUND, Look, Pane, draw_cursor, draw_pane, draw_window
from tui.widgets.plot.scales import Limits
from tui.widgets.plot.viewport import PaneKind, PlotView

_MIN_ROWS = 3
"""Rows between the edges of the frame, below which there is no plot."""
_MIN_COLUMNS = 8


class Picture:
    """Draws a plot again and again."""

    def __init__(self) -> None:
        """Begin with nothing drawn."""
        self.panes: dict[PaneKind, Pane] = {}
        """The panes drawn last, from left to right."""
        self.cells = Cells.blank(1, 1)
        """The plot as it was drawn last, without words and cursor."""
        self._view = RunView()
        self._plot_view = PlotView()
        self._look = Look()
        self._kept_losses: dict[PaneKind, Limits] = {}
        self._val_points: tuple[ValPoint, ...] = ()
        self._val_curve: tuple[Ints, Floats] = _curve_of(())

    def draw(self, view: RunView, plot_view: PlotView, look: Look, width: int, height: int) -> None:
        """Draw the panes."""
        if look.scale != self._look.scale:
            self._kept_losses.clear()
        if view.val_points is not self._val_points:
            self._val_points, self._val_curve = view.val_points, _curve_of(view.val_points)
        self._view, self._plot_view, self._look = view, plot_view, look
        self.cells, self.panes = Cells.blank(width, height), {}
        if not len(view.train_losses):
            text = "waiting for the first step"
            self.cells.write(max((width - cell_len(text)) // 2, 0), height // 2, text, "text")
        elif height - ROWS_AROUND >= _MIN_ROWS and width // len(plot_view.panes) - LABEL_CELLS - 2 >= _MIN_COLUMNS:
            self._draw_panes(run_of(view, look.overlay))

    def _draw_panes(self, run: Limits) -> None:
        """Draw each pane in its share of the width."""
        kinds = self._plot_view.panes
        for place, kind in enumerate(kinds):
            left, right = (self.cells.width * edge // len(kinds) for edge in (place, place + 1))
            steps, before = self._plot_view.limits(kind, run), self._kept_losses.get(kind)
            pane = draw_pane(self.cells, (left, right), steps, self._view, self._val_curve, self._look, before)
            if pane is not None:
                self.panes[kind], self._kept_losses[kind] = pane, pane.losses
        if {"whole", "recent"} <= self.panes.keys():
            draw_window(self.cells, self.panes["whole"], self.panes["recent"].steps)

    def with_words(self, plot_view: PlotView, *, is_focused: bool) -> Cells:
        """Return the plot with its cursor and read-out, or else its legend."""
        cells = self.cells.copy()
        if not self.panes:
            return cells
        first, last = next(iter(self.panes.values())), next(reversed(self.panes.values()))
        title = self._title(plot_view)
        overlay = self._look.overlay
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
            write_entries(cells, last.left, last.right, [Entry(title, label_style="window"), *hints])
        return cells

    def pane_of(self, step: float) -> Pane | None:
        """Return the finest pane that shows a step."""
        return next((pane for pane in reversed(self.panes.values()) if pane.column_of(step) is not None), None)

    def pane_under(self, x: int) -> Pane | None:
        """Return the pane whose curves are drawn at a column of the plot."""
        return next((pane for pane in self.panes.values() if pane.left <= x < pane.right), None)

    def _title(self, plot_view: PlotView) -> str:
        """Return which part of the run the detail shows, if it is not the whole."""
        kind, run = plot_view.panes[-1], run_of(self._view, self._look.overlay)
        limits = plot_view.limits(kind, run)
        if kind == "whole" and limits == plot_view.reset().limits(kind, run):
            return ""
        if plot_view.detail.first is None:
            return f"latest {limits.span:,.0f} steps"
        return f"steps {limits.low:,.0f} to {limits.high:,.0f}"


def run_of(view: RunView, overlay: tuple[str, Series] | None) -> Limits:
    """Return the first and the last step that a run has a loss of; a branch begins where the run before it did."""
    first_step = view.train_losses.first_step
    if overlay is not None and len(overlay[1]):
        first_step = min(first_step, overlay[1].first_step)
    return Limits(first_step, view.train_losses.last_step)


def _curve_of(points: tuple[ValPoint, ...]) -> tuple[Ints, Floats]:
    """Return evaluations as arrays."""
    return np.array([point.step for point in points], np.int64), np.array([point.val_loss for point in points], float)
