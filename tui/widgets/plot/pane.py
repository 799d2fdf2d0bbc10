"""One pane of the loss plot: frame, ticks, band, lines, points and marks, drawn into a grid of cells. Pure.

Each column of dots spans the lowest and highest train loss of its steps, a smoothed line lies on top, evaluations are
points. The y axis shows every value in view but for a few columns that would squash the rest: those are marked where
they leave through the top. Marks stand on the x axis, one letter a column.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tui.run.buckets import Floats, Ints
from tui.run.marks import Mark
from tui.run.series import Series
from tui.run.series_columns import Columns, columns_of
from tui.run.view import RunView
from tui.terminal.capabilities import GlyphSet
from tui.widgets.plot.cell_grid import Cells, cell_chars, curve_dots
from tui.widgets.plot.glyphs import MARK_LETTERS, PLOT_GLYPHS, PlotGlyphs, StyleName
from tui.widgets.plot.scales import Limits, LossScale, nice_ticks, step_labels

LABEL_CELLS = 6
"""Left of the frame, for the losses at the ticks."""
ROWS_AROUND = 3
"""Frame above and below, and the steps at the ticks."""
_CELLS_PER_STEP_TICK = 12
_ROWS_PER_LOSS_TICK = 2
_MIN_LOSS_TICKS = 4
_MARKER_CELLS = 3
"""Evaluations closer together than this many cells are drawn as a line instead of markers."""
_RANKS = {kind: rank for rank, kind in enumerate(MARK_LETTERS)}


@dataclass(frozen=True)
class Look:
    """How the curves are drawn."""

    scale: LossScale = field(default_factory=LossScale)
    glyphs: GlyphSet = "braille"
    overlay: tuple[str, Series] | None = None
    """Another run's name and train losses, drawn under our own."""


@dataclass(frozen=True, kw_only=True)
class Pane:
    """A pane that was drawn, and which step is where in it."""

    left: int
    """The cell of the first column, right of the frame."""
    width: int
    height: int
    """Rows between the upper and the lower edge of the frame."""
    steps: Limits
    losses: Limits
    """The y axis, in what its scale makes of losses."""
    scale: LossScale
    glyphs: GlyphSet
    train: Columns
    smoothed: Floats
    """Nats, one for each column of dots."""

    @property
    def num_steps(self) -> int:
        """Steps in view, with room for them or not."""
        return int(self.steps.span) + 1

    @property
    def right(self) -> int:
        """The cell of the right edge of the frame."""
        return self.left + self.width

    @property
    def peak(self) -> float | None:
        """The highest loss that leaves through the top, in nats."""
        highest = float(np.nanmax(self.train.high))
        return highest if self.scale.heights(np.array([highest]))[0] > self.losses.high else None

    def column_of(self, step: float) -> int | None:
        """Return the column of cells that a step falls into, if it is in view."""
        column = int((step - self.steps.low) * self.width // self.num_steps)
        return column if 0 <= column < self.width else None

    def step_at(self, column: float) -> float:
        """Return the step amid a column of cells."""
        return self.steps.low - 0.5 + (column + 0.5) * self.num_steps / self.width

    def marks_at(self, step: int, marks: tuple[Mark, ...]) -> list[Mark]:
        """Return the marks in the column of a step, the most important first, and of those the latest."""
        column = self.column_of(step)
        found = [mark for mark in reversed(marks) if self.column_of(mark.step) == column]
        return sorted(found, key=lambda mark: _RANKS[mark.kind]) if column is not None else []


def draw_pane(
    cells: Cells,
    edges: tuple[int, int],
    steps: Limits,
    view: RunView,
    evaluations: tuple[Ints, Floats],
    look: Look,
    before: Limits | None,
) -> Pane | None:
    """Draw a pane between two columns of the grid, the second excluded; None where no value is in view.

    `evaluations` are those of `view`, steps and losses; `before` is the y axis that is kept if it still fits.
    """
    glyph_set = PLOT_GLYPHS[look.glyphs]
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
        losses=look.scale.limits(train.low[is_filled], train.high[is_filled], val_losses, before),
        scale=look.scale,
        glyphs=look.glyphs,
        train=train,
        smoothed=train.smoothed(),
    )
    painter = _Painter(cells, pane, glyph_set)
    painter.frame()
    painter.curve(train.low, train.high, "band")
    if look.overlay is not None:
        painter.overlay(look.overlay[1])
    painter.curve(pane.smoothed, pane.smoothed, "line")
    painter.validation(val_steps, val_losses)
    if view.best is not None:
        painter.points([view.best.step], np.array([view.best.val_loss]), glyph_set.best, "best")
    painter.peaks()
    painter.marks(view.marks)
    return pane


@dataclass(frozen=True)
class _Painter:
    """Draws the parts of a pane, each over those before it."""

    cells: Cells
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
        """Write the losses left of the frame."""
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
        """Write the steps under the frame, those that fit without touching."""
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
        """Draw a curve, or what lies between two, in nats by column of dots."""
        heights = self.pane.scale.heights
        num_rows = self.glyph_set.weights.shape[0] * self.pane.height
        dots = curve_dots(heights(low), heights(high), self.pane.losses, num_rows)
        chars = self.glyph_set.band if style == "band" else self.glyph_set.line
        self.cells.stamp(self.pane.left, 1, cell_chars(dots, self.glyph_set.weights, chars), style)

    def overlay(self, series: Series) -> None:
        """Draw the smoothed line of another run."""
        steps = self.pane.steps
        columns = series.columns(int(steps.low), int(steps.high), len(self.pane.smoothed))
        self.curve(columns.smoothed(), columns.smoothed(), "overlay")

    def validation(self, steps: Ints, losses: Floats) -> None:
        """Draw every evaluation in view, as a marker or where they are too many as a line."""
        if len(steps) * _MARKER_CELLS <= self.pane.width:
            self.points(steps.tolist(), losses, self.glyph_set.validation, "validation")
        else:
            first, last = int(self.pane.steps.low), int(self.pane.steps.high)
            columns = columns_of(steps.tolist(), losses.tolist(), first, last, len(self.pane.smoothed))
            self.curve(columns.low, columns.high, "validation")

    def points(self, steps: list[int], losses: Floats, marker: str, style: StyleName) -> None:
        """Draw a marker at each loss in view, given in nats."""
        pane = self.pane
        rows = (pane.losses.high - pane.scale.heights(losses)) / pane.losses.span * pane.height
        for step, row in zip(steps, rows.tolist(), strict=True):
            column = pane.column_of(step)
            if column is not None and 0 <= row <= pane.height:
                y = 1 + min(int(row), pane.height - 1)
                self.cells.fill(pane.left + column, slice(y, y + 1), marker, style)

    def peaks(self) -> None:
        """Mark the columns that leave through the top."""
        is_out = np.flatnonzero(self.pane.scale.heights(self.pane.train.high) > self.pane.losses.high)
        for column in sorted({int(x) // self.glyph_set.weights.shape[1] for x in is_out}):
            self.cells.fill(self.pane.left + column, slice(1, 2), self.glyph_set.peak, "peak")

    def marks(self, marks: tuple[Mark, ...]) -> None:
        """Write the letter of each mark in view onto the x axis."""
        best: dict[int, int] = {}
        for mark in marks:
            column = self.pane.column_of(mark.step)
            if column is not None:
                best[column] = min(_RANKS[mark.kind], best.get(column, len(_RANKS)))
        letters, y = list(MARK_LETTERS.values()), self.pane.height + 1
        for column, rank in best.items():
            self.cells.fill(self.pane.left + column, slice(y, y + 1), letters[rank], "mark")


def draw_window(cells: Cells, pane: Pane, window: Limits) -> None:
    """Show on a pane's x axis which part of it another pane shows."""
    first = pane.column_of(max(window.low, pane.steps.low))
    last = pane.column_of(min(window.high, pane.steps.high))
    if first is None or last is None:
        return
    glyph_set = PLOT_GLYPHS[pane.glyphs]
    row = pane.height + 1
    for x in range(pane.left + first, pane.left + last + 1):
        if chr(cells.chars[row, x]) in glyph_set.horizontal:
            cells.write(x, row, glyph_set.window, "window")


def draw_cursor(cells: Cells, pane: Pane, step: int) -> None:
    """Draw the line at a step, if it is in view: a bar where nothing is, in its colour where something is."""
    column = pane.column_of(step)
    if column is None:
        return
    rows, x = slice(1, pane.height + 1), pane.left + column
    covered = cells.chars[rows, x].copy()
    cells.fill(x, rows, PLOT_GLYPHS[pane.glyphs].cursor, "cursor")
    cells.chars[rows, x] = np.where(covered == ord(" "), cells.chars[rows, x], covered)
