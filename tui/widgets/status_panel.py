"""`StatusPanel`: the run in figures. What stands where is decided in `status_lines`; here lines are painted.

A tall, narrow panel shows a column of labels and values, any other up to three full lines. Only figures that
changed are painted again.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tui.run_view import RunView
from tui.widgets.status_lines import Line, column_lines, compact_lines
from tui.widgets.still_canvas import changed_cells

MAX_COLUMN_WIDTH = 55
MIN_COLUMN_HEIGHT = 8


class StatusPanel(Widget):
    """The run in figures. `show` it a view as often as you like: it paints only what changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "status-panel--label",
        "status-panel--value",
        "status-panel--strong",
        "status-panel--good",
        "status-panel--bad",
        "status-panel--quiet",
    }
    DEFAULT_CSS = """
    StatusPanel {
        height: auto;
        & > .status-panel--label { color: $text-muted; }
        & > .status-panel--value { color: $foreground; }
        & > .status-panel--strong { color: $foreground; text-style: bold; }
        & > .status-panel--good { color: $success; }
        & > .status-panel--bad { color: $error; text-style: bold; }
        & > .status-panel--quiet { color: $foreground 30%; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own name
        """Begin without a run."""
        super().__init__(id=id, classes=classes)
        self.shown = RunView()
        self.lines: list[Line] = []

    def show(self, view: RunView) -> None:
        """Show this view from now on."""
        self.shown = view
        before, self.lines = self.lines, self._lines_for(self.size.width, self.size.height)
        if len(before) != len(self.lines):
            self.refresh()
            return
        changed = [(y, old, new) for y, (old, new) in enumerate(zip(before, self.lines, strict=True)) if old != new]
        cells = [(y, changed_cells(self._strip(old), self._strip(new))) for y, old, new in changed]
        regions = [Region(found[0], y, found[1] - found[0], 1) for y, found in cells if found is not None]
        if regions:
            self.refresh(*regions)

    def on_resize(self) -> None:
        """Choose the layout for the new size."""
        self.lines = self._lines_for(self.size.width, self.size.height)
        self.refresh()

    def _lines_for(self, width: int, height: int) -> list[Line]:
        """Return the lines for a panel of that size."""
        if width <= MAX_COLUMN_WIDTH and height >= MIN_COLUMN_HEIGHT:
            return column_lines(self.shown, width, height)
        return compact_lines(self.shown, width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return the height of the full lines: a column is given its height by the layout."""
        return len(compact_lines(self.shown, width))

    def render_line(self, y: int) -> Strip:
        """Return one line of the panel."""
        return self._strip(self.lines[y] if y < len(self.lines) else ())

    def _strip(self, line: Line) -> Strip:
        """Return a line as it is painted."""
        segments = [Segment(piece.text, self.get_component_rich_style(f"status-panel--{piece.tone}")) for piece in line]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)
