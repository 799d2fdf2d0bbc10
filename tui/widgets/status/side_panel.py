"""Groups laid out on pages of one or more columns. Pure: a group that does not fit goes to a later page, never lost.

`StatusPanel`: the status of the run in two lines, where there is no room for a side panel beside the plot.

`MachinePanel`: base of a panel with a group about the machine: its load, read while shown, and the screen's cost.

The layout is in `machine_lines`. The machine is read on a thread, as a GPU's driver can block.

`SidePanel`: all that is to be seen of a run beside plot and tweets, in groups on one or more pages.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from textual import events
from textual.message import Message
from textual.worker import Worker

from tui.process.threads import begin_work, on_own_thread
from tui.run.view import RunView
from tui.terminal.app import TerminalApp, loss_unit_of
from tui.terminal.driver import MeteredDriver
from tui.terminal.private import driver_of
from tui.text.cells import Line, Span, cell_len, num_cells, padded
from tui.widgets.line_view import LinePanel
from tui.widgets.status.facts import Group, compact_lines, left_out_group, num_ranks, setup_group, status_groups
from tui.widgets.status.machine import ScreenCost, UsageCounters, machine_lines
from tui.widgets.status.machine_reader import MachineReader, MachineReading, MeasuredRun

MIN_COLUMN_CELLS = 34
_GAP_CELLS = 3
_MIN_FLEXIBLE_ROWS = 8
"""A group whose lines depend on the room goes to the next page rather than into less."""

MakeGroup = Callable[[int, int], Group]
"""Returns a group for a width and the number of lines that there is room for."""


@dataclass(frozen=True)
class Page:
    """The groups of a page, and those of other pages."""

    columns: tuple[tuple[Line, ...], ...]
    names: tuple[str, ...]


def column_cells(width: int) -> int:
    """Return the width of a column on a page of that width."""
    num_columns = max((width + _GAP_CELLS) // (MIN_COLUMN_CELLS + _GAP_CELLS), 1)
    return (width - _GAP_CELLS * (num_columns - 1)) // num_columns


def paged(groups: Sequence[Group | MakeGroup], width: int, height: int) -> list[Page]:
    """Return the groups on as few pages as they need in this order; several leave the last row free for a sign."""
    pages = _filled(groups, width, height)
    return pages if len(pages) == 1 else _filled(groups, width, max(height - 1, 2))


def page_lines(pages: Sequence[Page], number: int, width: int, height: int, key: str) -> list[Line]:
    """Return the lines of a page; in the last row, what the other pages show and the key that turns to them."""
    page, cells = pages[number], column_cells(width)
    num_rows = height if len(pages) == 1 else height - 1
    lines: list[Line] = []
    for row in range(num_rows):
        line: Line = ()
        for place, column in enumerate(page.columns):
            line = padded(line, place * (cells + _GAP_CELLS)) if place else line
            line += column[row] if row < len(column) else ()
        lines.append(line)
    if len(pages) > 1:
        order = [*pages[number + 1 :], *pages[:number]]
        lines.append(sign([name for each in order for name in each.names], width, key))
    return lines


def sign(names: Sequence[str], width: int, key: str) -> Line:
    """Return a line that counts and names what is not shown: "+3 more: machine, model and data  h"."""
    names = list(dict.fromkeys(names))
    room = width - cell_len(key) - 2
    texts = [f"+{len(names)} more: {', '.join(names[:count])}" for count in range(len(names), 0, -1)]
    texts = [texts[0], *(f"{text} …" for text in texts[1:]), f"+{len(names)} more"]
    text = next((text for text in texts if cell_len(text) <= room), "")
    return Span(text, "label"), Span("  ", "label"), Span(key, "key")


def _filled(groups: Sequence[Group | MakeGroup], width: int, height: int) -> list[Page]:
    """Fill pages of `height` rows column by column."""
    cells = column_cells(width)
    num_columns = (width + _GAP_CELLS) // (cells + _GAP_CELLS)
    columns: list[list[Line]] = [[]]
    names: list[list[str]] = [[]]
    for each in groups:
        for group in _pieces(each, cells, height, height - len(columns[-1]) - bool(columns[-1])):
            needed = len(group.lines) + 1 + bool(columns[-1])
            if columns[-1] and len(columns[-1]) + needed > height:
                columns.append([])
                names.append([])
            lines = columns[-1]
            lines += [()] if lines else []
            lines += [_heading(group, cells), *group.lines]
            names[-1].append(group.name)
    starts = range(0, len(columns), num_columns)
    return [
        Page(
            tuple(tuple(column) for column in columns[start : start + num_columns]),
            tuple(name for column in names[start : start + num_columns] for name in column),
        )
        for start in starts
    ]


def _pieces(group: Group | MakeGroup, cells: int, height: int, room: int) -> list[Group]:
    """Return a group in pieces of at most `height` rows; `room` is what is left of the column."""
    if not isinstance(group, Group):
        group = group(cells, (room if room > _MIN_FLEXIBLE_ROWS else height) - 1)
    num_lines = height - 1
    starts = range(0, len(group.lines), num_lines)
    return [Group(group.name, group.lines[start : start + num_lines], group.note) for start in starts]


def _heading(group: Group, cells: int) -> Line:
    """Return the heading of a group, its rule and its note."""
    note = f" {group.note}" if group.note else ""
    heading: Line = (Span(f"{group.name} ", "heading"),)
    rule = "─" * max(cells - num_cells(heading) - len(note), 0)
    return (*heading, Span(rule, "rule"), Span(note, "label"))


class StatusPanel(LinePanel):
    """Shows a `RunView`; may be updated often, as only changed cells are repainted."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = RunView()
        self._has_curve = False

    def on_mount(self) -> None:
        """Watch the app's unit of losses."""
        if isinstance(self.app, TerminalApp):
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
            await self.run_action("panels.machine")


_USAGE_SECONDS = 1.0
_FIRST_SECONDS = 0.2
"""From the first reading to the second, which has the load since."""


class Reader(Protocol):
    """Reads the machine; a `MachineReader` or, in tests, a fake."""

    def read(self) -> MachineReading:
        """Return the current load. Blocks; for any thread."""


class MachinePanel(LinePanel):
    """Measures the machine for the lines of one group; subclasses decide where it is."""

    def __init__(
        self,
        open_reader: Callable[[MeasuredRun], Reader] = MachineReader,
        clock: Callable[[], float] = time.monotonic,
        core_seconds: Callable[[], float] = time.thread_time,
    ) -> None:
        """Start closed. `core_seconds` returns the CPU time of the screen's thread."""
        super().__init__()
        self.shown = RunView()
        self._open_reader = open_reader
        self._reader: Reader | None = None
        self._measured: MeasuredRun | None = None
        """What `_reader` measures."""
        self._reading: MachineReading | None = None
        self._worker: Worker[None] | None = None
        self._clock = clock
        self._core_seconds = core_seconds
        self._counters: deque[UsageCounters] = deque(maxlen=2)
        self._cost: ScreenCost | None = None

    def on_mount(self) -> None:
        """Count the screen's cost from here on, also while closed: an opened panel shows it at once."""
        self._count_usage()
        self.set_interval(_USAGE_SECONDS, self._count_usage)

    def begin(self, view: RunView, pid: int | None = None) -> None:
        """Show `view` and start measuring; `pid` is the process that trains, None for this one."""
        self._reading = None
        self._count_usage()
        self.measure(view, pid)
        self.show_lines()

    def measure(self, view: RunView, pid: int | None = None) -> None:
        """Read the machine; show it with `view` once it has been read. That of a replay was another one."""
        self.shown = view
        if view.is_replay:
            return
        if self._worker is None or self._worker.is_finished:
            self._worker = begin_work(self, partial(self._read_machine, MeasuredRun(pid, num_ranks(view) > 1)))

    async def _read_machine(self, run: MeasuredRun) -> None:
        self._reading = await on_own_thread(partial(self._read, run))
        self.show_lines()
        if self._reading.machine_cores is None:  # the first reading has no interval to measure cores over
            await asyncio.sleep(_FIRST_SECONDS)
            self._reading = await on_own_thread(partial(self._read, run))
            self.show_lines()

    def _read(self, run: MeasuredRun) -> MachineReading:
        """Read the machine, on a worker thread, where opening the reader may block too. Calls never overlap."""
        if self._reader is None or run != self._measured:
            self._reader, self._measured = self._open_reader(run), run
        return self._reader.read()

    def _count_usage(self) -> None:
        """Compute the screen's cost since the call before the last."""
        driver = driver_of(self.app)
        num_bytes = driver.num_bytes if isinstance(driver, MeteredDriver) else None
        counters = UsageCounters(self._clock(), self._core_seconds(), num_bytes)
        if self._counters:
            self._cost = counters.cost_since(self._counters[0]) or self._cost
        self._counters.append(counters)

    def machine_lines_for(self, width: int, height: int) -> list[Line]:
        """Return the lines of `machine_lines` for this size."""
        return machine_lines(self.shown, self._reading, self._cost, width, height)


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
        if isinstance(self.app, TerminalApp):
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
            await self.run_action("panels.machine")
