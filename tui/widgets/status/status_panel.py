"""`StatusPanel`: the run in figures. What stands where is decided in `status_lines`.

A tall, narrow panel shows a column of labels and values, any other up to three full lines.
"""

from __future__ import annotations

from textual.geometry import Size

from tui.run.view import RunView
from tui.widgets.status.line_panel import LinePanel
from tui.widgets.status.status_lines import Line, column_lines, compact_lines

MAX_COLUMN_WIDTH = 55
MIN_COLUMN_HEIGHT = 8


class StatusPanel(LinePanel):
    """The run in figures. `show` it a view as often as you like: it paints only what changed."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own name
        """Begin without a run."""
        super().__init__(id=id, classes=classes)
        self.shown = RunView()

    def show(self, view: RunView) -> None:
        """Show this view from now on."""
        self.shown = view
        self.show_lines()

    def lines_for(self, width: int, height: int) -> list[Line]:
        """Return a column where there is room for one, else full lines."""
        if width <= MAX_COLUMN_WIDTH and height >= MIN_COLUMN_HEIGHT:
            return column_lines(self.shown, width, height)
        return compact_lines(self.shown, width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return the height of the full lines: a column is given its height by the layout."""
        return len(compact_lines(self.shown, width))
