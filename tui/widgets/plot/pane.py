"""`Pane`: the geometry of one pane of the picture, from steps and losses to cells. Pure; `painter` draws it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tui.run.branching import OverlayCurve
from tui.run.marks import Mark
from tui.run.series.buckets import Floats
from tui.run.series.columns import Columns
from tui.terminal.capabilities import GlyphSet
from tui.widgets.plot.glyphs import MARK_LETTERS
from tui.widgets.plot.scales import Limits, LossScale

MARK_RANKS = {kind: rank for rank, kind in enumerate(MARK_LETTERS)}


@dataclass(frozen=True)
class PlotOptions:
    """Scale, glyphs and overlay."""

    scale: LossScale = field(default_factory=LossScale)
    glyphs: GlyphSet = "braille"
    overlay: OverlayCurve | None = None
    """Drawn below the curve of this run."""


@dataclass(frozen=True, kw_only=True)
class Pane:
    """A drawn pane."""

    left: int
    """Column of the first cell inside the frame."""
    width: int
    height: int
    """Rows inside the frame."""
    steps: Limits
    losses: Limits
    """The y axis, in units of `scale.heights`."""
    scale: LossScale
    glyphs: GlyphSet
    train: Columns
    smoothed: Floats
    """Nats, one value per column of dots."""

    @property
    def num_steps(self) -> int:
        """Number of steps in view, including those still to come."""
        return int(self.steps.span) + 1

    @property
    def right(self) -> int:
        """Column of the frame's right edge."""
        return self.left + self.width

    @property
    def peak(self) -> float | None:
        """The highest loss in nats, if it exceeds the y axis."""
        highest = float(np.nanmax(self.train.high))
        return highest if self.scale.heights(np.array([highest]))[0] > self.losses.high else None

    def column_of(self, step: float) -> int | None:
        """Return the column of a step inside the frame; None if it is not in view."""
        column = int((step - self.steps.low) * self.width // self.num_steps)
        return column if 0 <= column < self.width else None

    def step_at(self, column: float) -> float:
        """Return the step at the middle of a column."""
        return self.steps.low - 0.5 + (column + 0.5) * self.num_steps / self.width

    def marks_at(self, step: int, marks: tuple[Mark, ...]) -> list[Mark]:
        """Return the marks in the column of a step, by importance, then the latest first."""
        column = self.column_of(step)
        found = [mark for mark in reversed(marks) if self.column_of(mark.step) == column]
        return sorted(found, key=lambda mark: MARK_RANKS[mark.kind]) if column is not None else []
