"""`Pane`: one pane of the plot: its place, the run it shows, and its cells for steps and losses. Pure; never draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.protocol.events import EvalFinished
from tui.run.marks import Baseline, Mark, baseline_marks
from tui.run.new_run import OverlayCurve
from tui.run.series import Columns, Floats
from tui.run.view import RunView
from tui.terminal.capabilities import GlyphSet
from tui.text.numbers import NATS_PER_UNIT, LossUnit
from tui.widgets.plot.axes import Limits, LossAxis
from tui.widgets.plot.cells import PLOT_GLYPHS, PlotGlyphs

_LOWEST_LOG_LOSS = 1e-6
"""Lowest loss on a log axis, which has no place for 0."""


@dataclass(frozen=True, kw_only=True)
class PlotOptions:
    """How a run is drawn."""

    unit: LossUnit = "bits"
    is_log: bool = False
    glyph_set: GlyphSet = "braille"
    overlay: OverlayCurve | None = None
    """Drawn below the curve of this run."""
    shows_levels: bool = True

    @property
    def glyphs(self) -> PlotGlyphs:
        return PLOT_GLYPHS[self.glyph_set]

    def heights(self, nats: Floats) -> Floats:
        """Return the positions of losses in nats on the y axis."""
        losses = nats / NATS_PER_UNIT[self.unit]
        return np.log10(np.maximum(losses, _LOWEST_LOG_LOSS)) if self.is_log else losses


@dataclass(frozen=True, kw_only=True)
class Pane:
    """Where a pane is, and what it shows."""

    view: RunView
    options: PlotOptions
    left: int
    """Column of the first cell right of the labels of the y axis."""
    width: int
    gutter: int
    """Columns right of the plot, for the labels of lines."""
    steps: Limits
    axis: LossAxis
    train: Columns
    """The losses, by column of dots."""

    @property
    def height(self) -> int:
        """Rows between heading and x axis."""
        return self.axis.num_rows

    @property
    def right(self) -> int:
        """Column of the first cell of the gutter."""
        return self.left + self.width

    @property
    def num_steps(self) -> int:
        """Number of steps in view, including those still to come."""
        return int(self.steps.span) + 1

    @property
    def baselines(self) -> tuple[Baseline, ...]:
        """The baselines to draw."""
        return self.view.baselines if self.options.shows_levels else ()

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks of the run, with those of crossed baselines if baselines are shown."""
        return (*self.view.marks, *baseline_marks(self.baselines))

    @property
    def val_points(self) -> list[EvalFinished]:
        """The evaluations in view."""
        return [point for point in self.view.val_points if self.steps.low <= point.step < self.steps.high + 1]

    def column_of(self, step: float) -> int | None:
        """Return the column of a step inside the plot; None if it is not in view."""
        column = int((step - self.steps.low) * self.width // self.num_steps)
        return column if 0 <= column < self.width else None

    def step_at(self, column: float) -> float:
        """Return the step at the middle of a column."""
        return self.steps.low - 0.5 + (column + 0.5) * self.num_steps / self.width

    def dots_of(self, step: float) -> slice:
        """Return the columns of dots in the cells of a step; none where it is not in view."""
        column, per_cell = self.column_of(step), len(self.train.count) // self.width
        return slice(0) if column is None else slice(column * per_cell, (column + 1) * per_cell)

    @property
    def is_spike(self) -> NDArray[np.bool_]:
        """Which columns of dots exceed the y axis, except for the fall with which a run starts."""
        is_above = self.options.heights(self.train.high) > self.axis.limits.high
        is_inside = (self.train.count > 0) & ~is_above
        return np.asarray(is_above & np.logical_or.accumulate(is_inside))

    @property
    def peak(self) -> float | None:
        """The highest loss of the spikes, in nats."""
        spikes = self.train.high[self.is_spike]
        return float(spikes.max()) if len(spikes) else None

    def place_of(self, nats: float) -> float:
        """Return the place of a loss in rows from the top of the plot; negative above it."""
        return (self.axis.limits.high - float(self.options.heights(np.array([nats]))[0])) / self.axis.row

    def row_of(self, nats: float) -> int | None:
        """Return the row of a loss, counted from the top of the plot; None if it is not in view."""
        return self.axis.row_of(float(self.options.heights(np.array([nats]))[0]))
