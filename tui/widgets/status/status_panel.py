"""`StatusPanel`: the status of the run in two lines, where there is no room for a side panel beside the plot."""

from __future__ import annotations

from textual import events

from tui.run.view import RunView
from tui.widgets.status.line_panel import LinePanel
from tui.widgets.status.lines import Line
from tui.widgets.status.status_lines import compact_lines
from tui.widgets.terminal_info import TerminalInfo, loss_unit_of


class StatusPanel(LinePanel):
    """Shows a `RunView`; may be updated often, as only changed cells are repainted."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = RunView()
        self._has_curve = False

    def on_mount(self) -> None:
        """Watch the app's unit of losses."""
        if isinstance(self.app, TerminalInfo):
            self.watch(self.app, "loss_unit", self.show_lines, init=False)

    def show(self, view: RunView) -> None:
        """Show `view`."""
        self.shown = view
        self.show_lines()

    def show_curve(self, *, is_shown: bool) -> None:
        """Show a small curve of the loss, or none."""
        self._has_curve = is_shown
        self.show_lines()

    def lines_for(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 - two lines at any height
        """Return the lines of `compact_lines`."""
        return compact_lines(self.shown, width, loss_unit_of(self), has_curve=self._has_curve)

    async def on_click(self, event: events.Click) -> None:
        """Show what is left out at a click on the line that counts it."""
        if event.y == 1:
            await self.screen.run_action("dispatch('panels.machine')")
