"""Lines across a pane and their labels in its gutter: levels, best validation, current loss.

Each line is exact to the dot. Of labels that would share a row, one is moved by a row; a level's is dropped where that
would place it beside the line of another value or the number of a tick.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from tui.formatting.loss_units import LossUnit, format_loss
from tui.run.levels import Level
from tui.run.view import RunView
from tui.widgets.plot.cell_grid import CellGrid
from tui.widgets.plot.glyphs import PLOT_GLYPHS, PlotGlyphs, StyleName
from tui.widgets.plot.loss_axis import LossAxis
from tui.widgets.plot.pane import Pane, PlotOptions

ACROSS: tuple[StyleName, ...] = ("grid", "level", "best_line")
"""The styles of lines across a pane, over which everything else is drawn."""
_WIDE_LABEL = "{} uniform ↑"
_NARROW_LABEL = "{} ↑"
_CELLS_FOR_NAMES = 56
"""In narrower panes, labels are without names."""
_CELLS_FOR_LABELS = 30
_OTHER_COST = 1.0
"""Of a label moved into the row of a tick or another line, in rows between a label and its value."""
_LEVEL_SPACING = 2
"""A level is drawn in every second cell, in every fourth while it is beaten; the best validation in every one."""
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
    place: float
    """Of the loss, in rows from the top."""
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


def next_level(view: RunView, options: PlotOptions, nats: float) -> Level | None:
    """Return the highest level that is still below a loss: the one to beat."""
    below = [level for level in shown_levels(view, options) if not view.is_beaten(level) and nats_of(level) < nats]
    return max(below, key=nats_of, default=None)


def draw_lines(cells: CellGrid, pane: Pane, view: RunView, options: PlotOptions) -> None:
    """Draw the grid, and over it the levels and the best validation that are in view; a row has one line."""
    painter = _LinePainter(cells, pane, PLOT_GLYPHS[pane.glyphs])
    levels = {level: pane.row_of(nats_of(level)) for level in shown_levels(view, options)}
    best_row = None if view.best is None else pane.row_of(view.best.val_loss)
    for tick_row in pane.axis.tick_rows:
        if tick_row not in {*levels.values(), best_row}:
            painter.draw(tick_row, painter.glyphs.grid, _GRID_SPACING, "grid")
    for level, row in levels.items():
        if row != best_row:  # two lines in a row would merge into a zigzag
            painter.at(nats_of(level), _BEATEN_SPACING if view.is_beaten(level) else _LEVEL_SPACING, "level")
    if view.best is not None:
        painter.at(view.best.val_loss, 1, "best_line")


def draw_labels(cells: CellGrid, pane: Pane, view: RunView, options: PlotOptions) -> None:
    """Write the labels of the lines into the gutter of a pane."""
    if not pane.gutter:
        return
    is_wide = pane.gutter >= gutter_cells(_CELLS_FOR_NAMES, pane.scale.unit, shown_levels(view, options))
    for line in _placed(list(_lines(pane, view, options)), pane.axis):
        name = line.name if is_wide else ""
        text = " ".join(part for part in (format_loss(line.nats, pane.scale.unit), name, line.sign) if part)
        cells.write(pane.right + 1, line.row + 1, text[: pane.gutter - 1], line.style)


@dataclass(frozen=True)
class _LinePainter:
    """Draws horizontal lines."""

    cells: CellGrid
    pane: Pane
    glyphs: PlotGlyphs

    def at(self, nats: float, spacing: int, style: StyleName) -> None:
        """Draw a line at a loss, if it is in view, at the height of its dots."""
        row = self.pane.row_of(nats)
        if row is None:
            return
        place, chars = self.pane.place_of(nats) - row, self.glyphs.level
        self.draw(row, chars[min(int(place * len(chars)), len(chars) - 1)], spacing, style)

    def draw(self, row: int, char: str, spacing: int, style: StyleName) -> None:
        """Draw a character into each `spacing`th cell of a row."""
        self.cells.draw_row(slice(self.pane.left, self.pane.right, spacing), row + 1, char, style)


def _lines(pane: Pane, view: RunView, options: PlotOptions) -> Iterator[_Line]:
    """Yield the lines with labels, in the row of each value; of levels out of view, the nearest on either side."""
    glyphs = PLOT_GLYPHS[pane.glyphs]
    yield from _level_lines(pane, view, options)
    if view.best is not None and pane.row_of(view.best.val_loss) is not None:
        yield _line(pane, view.best.val_loss, "best", glyphs.best, "best", len(view.levels))
    if view.smoothed_loss is not None and pane.column_of(view.train_losses.last_step) is not None:
        yield _line(pane, view.smoothed_loss, "train", "", "line", len(view.levels) + 1)


def _level_lines(pane: Pane, view: RunView, options: PlotOptions) -> Iterator[_Line]:
    """Yield the levels in view, and the nearest above and below."""
    glyphs = PLOT_GLYPHS[pane.glyphs]
    above, below = [], []
    for priority, level in enumerate(shown_levels(view, options)):
        line = _line(pane, nats_of(level), level.name, "", "level_label", priority)
        if pane.row_of(line.nats) is not None:
            yield replace(line, sign=glyphs.beaten if view.is_beaten(level) else "")
        elif line.row == 0:
            above.append(replace(line, sign=glyphs.up))
        else:
            below.append(replace(line, sign=glyphs.down))
    if above:
        yield min(above, key=lambda line: line.nats)
    if below:
        yield max(below, key=lambda line: line.nats)


def _line(pane: Pane, nats: float, name: str, sign: str, style: StyleName, priority: int) -> _Line:
    """Return a line with its label in the row of its value, or in the nearest row."""
    place = min(max(pane.place_of(nats), 0.0), float(pane.height))
    return _Line(nats, name, sign, style, priority, place, min(int(place), pane.height - 1))


def _placed(lines: Sequence[_Line], axis: LossAxis) -> list[_Line]:
    """Return the lines with labels in rows of their own, at most one row from their values.

    Train loss and best validation have a label always; a level, only where they leave it a row.
    """
    always = sorted((line for line in lines if line.style != "level_label"), key=lambda line: -line.nats)
    others = {*axis.tick_rows, *(line.row for line in lines)}
    options = [option for option in product(*(_moved(line, axis) for line in always)) if _is_in_order(option)]
    placed = list(min(options, key=lambda option: sum(_cost(line, others) for line in option)))
    for level in sorted((line for line in lines if line.style == "level_label"), key=lambda line: -line.priority):
        for moved in _moved(level, axis):
            extended = sorted([*placed, moved], key=lambda line: -line.nats)
            if _is_in_order(extended) and (moved.row == level.row or _may_move_to(moved, others)):
                placed = extended
                break
    return placed


def _moved(line: _Line, axis: LossAxis) -> list[_Line]:
    """Return the line with its label in its own row, and in the adjacent row that is nearer to its value."""
    step = 1 if line.place >= line.row + 0.5 else -1
    row = line.row + step if 0 <= line.row + step < axis.num_rows else line.row - step
    return [line, replace(line, row=row)]


def _may_move_to(level: _Line, others: set[int]) -> bool:
    """Return whether a level's label is near enough to its value, and not beside a tick or another line."""
    return abs(level.row + 0.5 - level.place) <= 1 and level.row not in others


def _is_in_order(lines: Sequence[_Line]) -> bool:
    """Return whether each label is above the next."""
    return all(above.row < below.row for above, below in pairwise(lines))


def _cost(line: _Line, others: set[int]) -> float:
    """Return how far a label is from its value; `others` are the rows of ticks and lines."""
    is_on_other = line.row in others and line.row != int(line.place)
    return abs(line.row + 0.5 - line.place) + (_OTHER_COST if is_on_other else 0.0)
