"""The letters of marks on the x axis. A burst of marks is at most two characters."""

from __future__ import annotations

from collections.abc import Sequence

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


def draw_marks(cells: CellGrid, space: PaneSpace, bursts: dict[range, list[Mark]], *, num_rows: int) -> None:
    """Write the letters of bursts onto the x axis, where each begins; those of one column into `num_rows`.

    Of two marks, both letters are shown; of more, the most important and their number; in one cell, their number.
    """
    y = space.height + 1
    for columns, marks in bursts.items():
        letters = [MARK_LETTERS[mark.kind] for mark in marks]
        count = str(len(letters)) if len(letters) <= _MAX_COUNT else _MANY
        shown = letters[0] + ("" if len(letters) == 1 else letters[1] if len(letters) == 2 else count)
        if is_stack(columns, marks):
            shown = count if num_rows == 1 else "\n".join(shown)
        for row, text in enumerate(shown.split("\n")):
            cells.write(space.left + columns.start, y + row, text, "mark")


def is_stack(columns: range, marks: Sequence[Mark]) -> bool:
    """Return whether a burst has several marks in a single column."""
    return len(columns) == 1 and len(marks) > 1
