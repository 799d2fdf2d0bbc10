"""Lines across a pane and their labels in its gutter: levels, best validation, current loss.

Each line is exact to the dot; labels that would share a row are moved apart, and dropped where rows are too few.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tui.formatting.loss_units import LossUnit, format_loss
from tui.run.levels import Level
from tui.run.view import RunView
from tui.widgets.plot.cell_grid import CellGrid
from tui.widgets.plot.glyphs import PLOT_GLYPHS, PlotGlyphs, StyleName
from tui.widgets.plot.pane import Pane, PlotOptions

ACROSS: tuple[StyleName, ...] = ("grid", "level", "best_line")
"""The styles of lines across a pane, over which everything else is drawn."""
_WIDE_LABEL = "{} uniform ↑"
_NARROW_LABEL = "{} ↑"
_CELLS_FOR_NAMES = 56
"""In narrower panes, labels are without names."""
_CELLS_FOR_LABELS = 30
_MAX_DISTANCE = 2
"""Rows between a label and its line."""
_LEVEL_SPACING = 2
"""A level is drawn in every second cell until it is beaten, then in every fourth; the best validation in every one."""
_BEATEN_SPACING = 4
_GRID_SPACING = 4


@dataclass(frozen=True)
class _Line:
    """A loss with a label."""

    nats: float
    name: str
    sign: str
    style: StyleName
    priority: int
    """The lowest is dropped first."""
    row: int
    """Of the label."""


def gutter_cells(width: int, unit: LossUnit, levels: Sequence[Level]) -> int:
    """Return how many columns the labels have in a pane of a width; the uniform level of a large vocabulary is wide."""
    if width < _CELLS_FOR_LABELS:
        return 0
    label = _WIDE_LABEL if width >= _CELLS_FOR_NAMES else _NARROW_LABEL
    return 1 + len(label.format(format_loss(max((1.0, *map(nats_of, levels))), unit)))


def shown_levels(view: RunView, options: PlotOptions) -> tuple[Level, ...]:
    """Return the levels to draw."""
    return view.levels if options.shows_levels else ()


def nats_of(level: Level) -> float:
    """Return the loss of a level in nats per character."""
    return level.bits_per_char * math.log(2)


def next_level(levels: Sequence[Level], nats: float) -> Level | None:
    """Return the highest level that is still below a loss: the one to beat."""
    below = [level for level in levels if level.crossed_at is None and nats_of(level) < nats]
    return max(below, key=nats_of, default=None)


def draw_lines(cells: CellGrid, pane: Pane, view: RunView, options: PlotOptions) -> None:
    """Draw the grid, and over it the levels and the best validation that are in view."""
    painter = _LinePainter(cells, pane, PLOT_GLYPHS[pane.glyphs])
    levels = {level: pane.row_of(nats_of(level)) for level in shown_levels(view, options)}
    best_row = None if view.best is None else pane.row_of(view.best.val_loss)
    for row, _ in pane.axis.ticks:
        if row not in {*levels.values(), best_row}:
            painter.draw(row, painter.glyphs.grid, 0, _GRID_SPACING, "grid")
    for level in levels:
        painter.at(nats_of(level), 0, _LEVEL_SPACING if level.crossed_at is None else _BEATEN_SPACING, "level")
    if view.best is not None:
        first, spacing = (1, 2) if best_row in levels.values() else (0, 1)
        painter.at(view.best.val_loss, first, spacing, "best_line")


def draw_labels(cells: CellGrid, pane: Pane, view: RunView, options: PlotOptions) -> None:
    """Write the labels of the lines into the gutter of a pane."""
    if not pane.gutter:
        return
    is_wide = pane.gutter >= gutter_cells(_CELLS_FOR_NAMES, pane.scale.unit, shown_levels(view, options))
    lines = _placed(list(_lines(pane, view, options)), pane.height)
    for line in lines:
        name = line.name if is_wide else ""
        text = " ".join(part for part in (format_loss(line.nats, pane.scale.unit), name, line.sign) if part)
        cells.write(pane.right + 1, line.row + 1, text[: pane.gutter - 1], line.style)


@dataclass(frozen=True)
class _LinePainter:
    """Draws horizontal lines."""

    cells: CellGrid
    pane: Pane
    glyphs: PlotGlyphs

    def at(self, nats: float, first: int, spacing: int, style: StyleName) -> None:
        """Draw a line at a loss, if it is in view, at the height of its dots."""
        row = self.pane.row_of(nats)
        if row is None:
            return
        axis = self.pane.axis
        place = (axis.limits.high - float(self.pane.scale.heights(np.array([nats]))[0])) / axis.row - row
        chars = self.glyphs.level
        self.draw(row, chars[min(int(place * len(chars)), len(chars) - 1)], first, spacing, style)

    def draw(self, row: int, char: str, first: int, spacing: int, style: StyleName) -> None:
        """Draw a character into each `spacing`th cell of a row."""
        self.cells.draw_row(slice(self.pane.left + first, self.pane.right, spacing), row + 1, char, style)


def _lines(pane: Pane, view: RunView, options: PlotOptions) -> Iterator[_Line]:
    """Yield the lines with labels, in the row of each line; of levels out of view, the nearest on either side."""
    glyphs = PLOT_GLYPHS[pane.glyphs]
    yield from _level_lines(pane, shown_levels(view, options))
    if view.best is not None and (row := pane.row_of(view.best.val_loss)) is not None:
        yield _Line(view.best.val_loss, "best", glyphs.best, "best", len(view.levels), row)
    ends = pane.smoothed[np.isfinite(pane.smoothed)]
    if view.smoothed_loss is not None and pane.column_of(view.train_losses.last_step) is not None:
        row = pane.row_of(float(ends[-1]))
        yield _Line(view.smoothed_loss, "train", "", "line", len(view.levels) + 1, row if row is not None else 0)


def _level_lines(pane: Pane, levels: Sequence[Level]) -> Iterator[_Line]:
    """Yield the levels in view, and the nearest above and below."""
    glyphs = PLOT_GLYPHS[pane.glyphs]
    highest = pane.axis.limits.high
    above, below = [], []
    for priority, level in enumerate(levels):
        nats = nats_of(level)
        line = _Line(nats, level.name, "", "level_label", priority, 0)
        if (row := pane.row_of(nats)) is not None:
            yield replace(line, row=row, sign=glyphs.beaten if level.crossed_at is not None else "")
        elif float(pane.scale.heights(np.array([nats]))[0]) > highest:
            above.append(replace(line, sign=glyphs.up))
        else:
            below.append(replace(line, row=pane.height - 1, sign=glyphs.down))
    if above:
        yield min(above, key=lambda line: line.nats)
    if below:
        yield max(below, key=lambda line: line.nats)


def _placed(lines: list[_Line], num_rows: int) -> list[_Line]:
    """Return the lines with labels in rows of their own, as near as possible; the most important one stays.

    Labels that are too far from their lines are dropped.
    """
    lines = sorted(sorted(lines, key=lambda line: -line.priority)[:num_rows], key=lambda line: -line.nats)
    if not lines:
        return []
    fixed = max(range(len(lines)), key=lambda place: lines[place].priority)
    rows = [line.row for line in lines]
    for place in range(fixed - 1, -1, -1):
        rows[place] = min(rows[place], rows[place + 1] - 1)
    for place in range(fixed + 1, len(lines)):
        rows[place] = max(rows[place], rows[place - 1] + 1)
    rows = [min(max(row, place), num_rows - len(lines) + place) for place, row in enumerate(rows)]
    distances = [abs(line.row - row) for line, row in zip(lines, rows, strict=True)]
    if max(distances) <= _MAX_DISTANCE:
        return [replace(line, row=row) for line, row in zip(lines, rows, strict=True)]
    moved = [line for line, distance in zip(lines, distances, strict=True) if distance]
    dropped = min(moved, key=lambda line: line.priority)
    return _placed([line for line in lines if line is not dropped], num_rows)
