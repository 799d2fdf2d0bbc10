"""`Pane`: the geometry of one pane of the picture, from steps and losses to cells. Pure; `painter` draws it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tui.run.marks import Mark
from tui.run.new_run import OverlayCurve
from tui.run.series import Columns, Floats
from tui.terminal.capabilities import GlyphSet
from tui.widgets.plot.axes import Limits, LossAxis, LossScale
from tui.widgets.plot.cells import MARK_LETTERS

_RANKS = {kind: rank for rank, kind in enumerate(MARK_LETTERS)}
_BURST_CELLS = 12
"""A burst of marks has at most as many columns: marks all along the axis are several."""


@dataclass(frozen=True)
class PlotOptions:
    """Scale, glyphs, overlay and levels."""

    scale: LossScale = field(default_factory=LossScale)
    glyphs: GlyphSet = "braille"
    overlay: OverlayCurve | None = None
    """Drawn below the curve of this run."""
    shows_levels: bool = True


@dataclass(frozen=True, kw_only=True)
class PaneSpace:
    """Where a pane is, and its x axis."""

    left: int
    """Column of the first cell right of the labels of the y axis."""
    width: int
    gutter: int
    """Columns right of the plot, for the labels of lines."""
    height: int
    """Rows between heading and x axis."""
    steps: Limits

    @property
    def num_steps(self) -> int:
        """Number of steps in view, including those still to come."""
        return int(self.steps.span) + 1

    @property
    def right(self) -> int:
        """Column of the first cell of the gutter."""
        return self.left + self.width

    def column_of(self, step: float) -> int | None:
        """Return the column of a step inside the plot; None if it is not in view."""
        column = int((step - self.steps.low) * self.width // self.num_steps)
        return column if 0 <= column < self.width else None

    def step_at(self, column: float) -> float:
        """Return the step at the middle of a column."""
        return self.steps.low - 0.5 + (column + 0.5) * self.num_steps / self.width

    def bursts(self, marks: tuple[Mark, ...]) -> dict[range, list[Mark]]:
        """Return the marks in view by the columns of their burst, marks in neighbouring columns, from left to right.

        Those of a burst are sorted by importance, then by their order.
        """
        by_column: dict[int, list[Mark]] = {}
        for mark in marks:
            column = self.column_of(mark.step)
            if column is not None:
                by_column.setdefault(column, []).append(mark)
        found: list[tuple[range, list[Mark]]] = []
        for column, those in sorted(by_column.items()):
            columns, before = found[-1] if found else (range(0), [])
            if columns.stop == column and 0 < len(columns) < _BURST_CELLS:
                found[-1] = (range(columns.start, column + 1), [*before, *those])
            else:
                found.append((range(column, column + 1), those))
        return {columns: sorted(those, key=lambda mark: _RANKS[mark.kind]) for columns, those in found}

    def marks_at(self, step: int, marks: tuple[Mark, ...]) -> list[Mark]:
        """Return the marks of the burst at a step, as `bursts` does."""
        column = self.column_of(step)
        return next((those for columns, those in self.bursts(marks).items() if column in columns), [])


@dataclass(frozen=True, kw_only=True)
class Pane(PaneSpace):
    """A drawn pane."""

    axis: LossAxis
    scale: LossScale
    glyphs: GlyphSet
    train: Columns
    smoothed: Floats
    """Nats, one value per column of dots."""

    def dots_of(self, step: float) -> slice:
        """Return the columns of dots in the cells of a step; none where it is not in view."""
        column, per_cell = self.column_of(step), len(self.smoothed) // self.width
        return slice(0) if column is None else slice(column * per_cell, (column + 1) * per_cell)

    def is_in_gap(self, step: float) -> bool:
        """Return whether the run has no steps around a step that is in view."""
        is_gap = self.train.is_gap[self.dots_of(step)]
        return len(is_gap) > 0 and bool(is_gap.all())

    @property
    def is_spike(self) -> NDArray[np.bool_]:
        """Which columns of dots exceed the y axis, except for the fall with which a run starts."""
        is_above = self.scale.heights(self.train.high) > self.axis.limits.high
        is_inside = (self.train.count > 0) & ~is_above
        return np.asarray(is_above & np.logical_or.accumulate(is_inside))

    @property
    def peak(self) -> float | None:
        """The highest loss of the spikes, in nats."""
        spikes = self.train.high[self.is_spike]
        return float(spikes.max()) if len(spikes) else None

    def place_of(self, nats: float) -> float:
        """Return the place of a loss in rows from the top of the plot; negative above it."""
        return (self.axis.limits.high - float(self.scale.heights(np.array([nats]))[0])) / self.axis.row

    def row_of(self, nats: float) -> int | None:
        """Return the row of a loss, counted from the top of the plot; None if it is not in view."""
        return self.axis.row_of(float(self.scale.heights(np.array([nats]))[0]))
