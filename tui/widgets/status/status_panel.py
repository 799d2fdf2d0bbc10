"""`StatusPanel`: the status of the run. A tall, narrow panel shows a column, any other up to three full lines.

The layouts are in `status_lines`.
"""

from __future__ import annotations

from textual.geometry import Size

from tui.run.view import RunView
from tui.widgets.status.line_panel import LinePanel
from tui.widgets.status.lines import Line
from tui.widgets.status.status_lines import column_lines, compact_lines
from tui.widgets.terminal_info import TerminalInfo, loss_unit_of

MAX_COLUMN_WIDTH = 55
MIN_COLUMN_HEIGHT = 8


class StatusPanel(LinePanel):
    """Shows a `RunView`; may be updated often, as only changed cells are repainted."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = RunView()

    def on_mount(self) -> None:
        """Watch the app's unit of losses."""
        if isinstance(self.app, TerminalInfo):
            self.watch(self.app, "loss_unit", self.show_lines, init=False)

    def show(self, view: RunView) -> None:
        """Show `view`."""
        self.shown = view
        self.show_lines()

    def lines_for(self, width: int, height: int) -> list[Line]:
        """Return a column if there is room for one, else full lines."""
        if width <= MAX_COLUMN_WIDTH and height >= MIN_COLUMN_HEIGHT:
            return column_lines(self.shown, width, height, loss_unit_of(self))
        return compact_lines(self.shown, width, loss_unit_of(self))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return the number of full lines; the height of a column is set by the layout."""
        return len(compact_lines(self.shown, width, loss_unit_of(self)))
