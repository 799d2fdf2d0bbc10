"""`SidePanel`: all that is to be seen of a run beside plot and tweets, in groups on one or more pages."""

from __future__ import annotations

from textual import events
from textual.message import Message

from tui.run.view import RunView
from tui.widgets.status.groups import Group, left_out_group, setup_group, status_groups
from tui.widgets.status.lines import Line
from tui.widgets.status.machine_panel import MachinePanel
from tui.widgets.status.pages import MakeGroup, Page, column_cells, page_lines, paged
from tui.widgets.terminal_info import TerminalInfo, loss_unit_of

_KEY = "h"
_MACHINE = "machine"


class SidePanel(MachinePanel):
    """Shows a `RunView` in groups. Reads the machine only while its group is shown."""

    class MachineShown(Message):
        """The machine has come into view, and is to be measured."""

    def __init__(self) -> None:
        super().__init__()
        self._showed_machine = False
        self.starts_with_setup = False
        """Whether machine, model and data come first: the rest is in the lines of the status."""
        self._page = 0
        self._pages: list[Page] = []

    def on_mount(self) -> None:
        """Watch the app's unit of losses."""
        super().on_mount()
        if isinstance(self.app, TerminalInfo):
            self.watch(self.app, "loss_unit", self.show_lines, init=False)

    @property
    def shows_machine(self) -> bool:
        """Whether the machine is on the page that is shown."""
        return bool(self._pages) and _MACHINE in self._pages[self._page].names

    @property
    def num_pages(self) -> int:
        """The number of pages at the current size."""
        return len(self._pages)

    def show(self, view: RunView) -> None:
        """Show `view`."""
        self.shown = view
        self.show_lines()

    def turn_to(self, page: int) -> bool:
        """Show a page; after the last, the first. Return whether that is another one than the first."""
        self._page = page % max(self.num_pages, 1)
        self.show_lines()
        return self._page > 0

    def turn(self) -> bool:
        """Show the next page; after the last, the first. Return whether that is another one than the first."""
        return self.turn_to(self._page + 1)

    def lines_for(self, width: int, height: int) -> list[Line]:
        """Return the lines of the current page."""
        if not self.display or not width or not height:
            self._pages, self._showed_machine = [], False
            return []
        cells = column_cells(width)
        run: list[Group | MakeGroup] = [*status_groups(self.shown, cells, loss_unit_of(self))]
        left_out, setup_lines = left_out_group(self.shown, cells), setup_group(self.shown, cells)
        setup: list[Group | MakeGroup] = [left_out, self._machine_group, setup_lines]
        self._pages = paged([*setup, *run] if self.starts_with_setup else [*run, *setup], width, height)
        self._page = min(self._page, self.num_pages - 1)
        if self.shows_machine and not self._showed_machine:
            self.post_message(self.MachineShown())
        self._showed_machine = self.shows_machine
        return page_lines(self._pages, self._page, width, height, _KEY)

    def _machine_group(self, width: int, height: int) -> Group:
        return Group(_MACHINE, tuple(self.machine_lines_for(width, height)))

    async def on_click(self, event: events.Click) -> None:
        """Turn the page at a click on its last row, where the key is named."""
        if self.num_pages > 1 and event.y == self.size.height - 1:
            await self.screen.run_action("dispatch('panels.machine')")
