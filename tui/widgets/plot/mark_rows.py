"""The letters of marks on the x axis. Marks that share a column are stacked, or counted where rows are few."""

from __future__ import annotations

from tui.run.levels import level_marks
from tui.run.marks import Mark
from tui.run.view import RunView
from tui.widgets.plot.cell_grid import CellGrid
from tui.widgets.plot.glyphs import MARK_LETTERS
from tui.widgets.plot.pane import PaneSpace, PlotOptions
from tui.widgets.plot.reference_lines import shown_levels

_MANY = "+"
_MAX_COUNT = 9


def marks_of(view: RunView, options: PlotOptions) -> tuple[Mark, ...]:
    """Return the marks of a run, with those of crossed levels if levels are shown."""
    return (*view.marks, *level_marks(shown_levels(view, options)))


def draw_marks(cells: CellGrid, space: PaneSpace, by_column: dict[int, list[Mark]], *, num_rows: int) -> None:
    """Write the letters of the marks in view onto the x axis and, with two rows, below it.

    Of two marks, both letters are shown; of more, the most important and their number; in one row, their number.
    """
    y = space.height + 1
    for column, marks in by_column.items():
        letters = [MARK_LETTERS[mark.kind] for mark in marks]
        count = str(len(letters)) if len(letters) <= _MAX_COUNT else _MANY
        if num_rows == 1:
            shown = letters[0] if len(letters) == 1 else count
        else:
            shown = letters[0] + ("" if len(letters) == 1 else letters[1] if len(letters) == 2 else count)
        for row, char in enumerate(shown):
            cells.write(space.left + column, y + row, char, "mark")
