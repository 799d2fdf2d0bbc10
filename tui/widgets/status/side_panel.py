"""The status on the screen: `StatusLines`, two lines; `SidePanel`, all facts and the machine in groups on pages.

A group that does not fit goes to a later column or page, and is never lost. The machine is read only while its group is
shown, on a thread, as the driver of a GPU can block.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import ClassVar

from textual.worker import Worker

from tui.process.threads import on_own_thread
from tui.run.view import RunView
from tui.text.cells import Line, Span, cell_len, cut, num_cells, packed, padded, progress_bar, shortened, slider
from tui.text.tweets import FILTER_SEPARATOR
from tui.widgets.line_view import LineView, clickable
from tui.widgets.status.facts import STYLES, TURN_KEY, Fact, facts, num_ranks, two_lines
from tui.widgets.status.machine import UsageCounters, machine_lines
from tui.widgets.status.machine_reader import MachineReader, MachineReading, MeasuredRun

MIN_COLUMN_CELLS, _GAP_CELLS = 34, 3
_LABEL_CELLS, _PERCENT_CELLS, _MIN_SLIDER_CELLS = 14, 6, 8
_MIN_FLEXIBLE_ROWS = 8
"""A group whose lines depend on the room goes to the next page rather than into less."""
_USAGE_SECONDS = 1.0
_FIRST_SECONDS = 0.2
"""Time between the first reading of the machine and the second, which has the load since."""
_MACHINE = "machine"


@dataclass(frozen=True)
class Group:
    """Lines under a heading."""

    name: str
    lines: tuple[Line, ...]
    note: str = ""
    """Text at the right end of the heading."""


FlexibleGroup = Callable[[int, int], Group]
"""Returns a group for a width and the number of lines that there is room for."""


@dataclass(frozen=True)
class Page:
    """The columns of a page, and the names of their groups."""

    columns: tuple[tuple[Line, ...], ...]
    names: tuple[str, ...]


def column_cells(width: int) -> int:
    """Return the width of a column on a page of that width."""
    num_columns = max((width + _GAP_CELLS) // (MIN_COLUMN_CELLS + _GAP_CELLS), 1)
    return (width - _GAP_CELLS * (num_columns - 1)) // num_columns


def groups_of(every: Iterable[Fact], progress: float | None, width: int) -> list[Group]:
    """Return the groups of facts in a column of that width; `progress` is a bar at the end of the first."""
    groups = []
    for name, members in groupby(every, attrgetter("group")):
        group = list(members)
        lines = [line for fact in group for line in _fact_lines(fact, width)]
        if name == "run" and progress is not None:
            percent = Span(f"{100 * progress:.0f} %".rjust(_PERCENT_CELLS), "value")
            lines.append((*progress_bar(progress, width - _PERCENT_CELLS), percent))
        groups.append(Group(name, tuple(lines), group[0].note))
    return groups


def _fact_lines(fact: Fact, width: int) -> list[Line]:
    """Return a fact in lines of at most `width` cells: one, unless a list of values needs more."""
    if not fact.label:
        return [cut(fact.values, width)]
    entries = [(span,) for span in fact.values] if fact.is_list else [fact.values]
    rows = packed(entries, width - _LABEL_CELLS, Span(FILTER_SEPARATOR, "value"))
    if fact.slider is not None:
        room = width - _LABEL_CELLS - num_cells(rows[0]) - 2
        knob = slider(fact.slider, room) if room >= _MIN_SLIDER_CELLS else ()
        rows[0] = (*rows[0], Span("  ", "label"), *knob)
    lines = []
    for number, row in enumerate(rows):
        room = max(width - num_cells(row), _LABEL_CELLS) - 1  # a long label leaves room for the values
        label = shortened("" if number else fact.label, room).ljust(_LABEL_CELLS - 1) + " "
        lines.append(cut((Span(label, "label"), *row), width))
    return lines


def paged(groups: Sequence[Group | FlexibleGroup], width: int, height: int) -> list[Page]:
    """Return the groups on as few pages as they need in this order; several leave the last row free for a sign."""
    pages = _in_pages(groups, width, height)
    return pages if len(pages) == 1 else _in_pages(groups, width, max(height - 1, 2))


def _in_pages(groups: Sequence[Group | FlexibleGroup], width: int, height: int) -> list[Page]:
    """Fill pages of `height` rows column by column; a group that is higher than a column is divided."""
    cells = column_cells(width)
    columns: list[tuple[list[Line], list[str]]] = [([], [])]
    for each in groups:
        room = height - len(columns[-1][0]) - bool(columns[-1][0])
        group = each if isinstance(each, Group) else each(cells, (room if room > _MIN_FLEXIBLE_ROWS else height) - 1)
        for start in range(0, len(group.lines), height - 1):
            lines, names = columns[-1]
            piece = group.lines[start : start + height - 1]
            if lines and len(lines) + 1 + 1 + len(piece) > height:
                lines, names = [], []
                columns.append((lines, names))
            note = f" {group.note}" if group.note else ""
            rule = "─" * max(cells - cell_len(f"{group.name} {note}"), 0)
            heading = (Span(f"{group.name} ", "heading"), Span(rule, "rule"), Span(note, "label"))
            lines += [*([()] if lines else []), heading, *piece]
            names.append(group.name)
    num_columns = (width + _GAP_CELLS) // (cells + _GAP_CELLS)
    pages = [columns[start : start + num_columns] for start in range(0, len(columns), num_columns)]
    return [
        Page(tuple(tuple(lines) for lines, _ in page), tuple(n for _, names in page for n in names)) for page in pages
    ]


def page_lines(pages: Sequence[Page], number: int, width: int, height: int) -> list[Line]:
    """Return the lines of a page; in the last row, what the other pages show and the key that turns to them."""
    columns, cells = pages[number].columns, column_cells(width)
    lines: list[Line] = []
    for y in range(height - (len(pages) > 1)):
        line: Line = ()
        for place, column in enumerate(columns):
            line = padded(line, place * (cells + _GAP_CELLS)) if place else line
            line += column[y] if y < len(column) else ()
        lines.append(line)
    if len(pages) > 1:
        order = [*pages[number + 1 :], *pages[:number]]
        names = list(dict.fromkeys(name for page in order for name in page.names))
        texts = [f"+{len(names)} more: {', '.join(names[:count])} …" for count in range(len(names), 0, -1)]
        texts = [texts[0].removesuffix(" …"), *texts[1:], f"+{len(names)} more"]
        text = next((text for text in texts if cell_len(text) <= width - len(TURN_KEY) - 2), "")
        sign = (Span(f"{text}  ", "label"), Span(TURN_KEY, "key"))
        lines.append(clickable(sign, "panels.machine"))
    return lines


class StatusLines(LineView):
    """Show a run in two lines, where there is no room for a side panel beside the plot."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line--{style}" for style in STYLES}

    def __init__(self) -> None:
        super().__init__()
        self.shown = RunView()
        self.has_curve = False
        """Whether a small curve of the loss fills the first line."""

    def show(self, view: RunView) -> None:
        self.shown = view
        if self.display:
            self.redraw()

    def lines_for(self, width: int) -> list[Line]:
        return two_lines(self.shown, width, self.app.loss_unit, has_curve=self.has_curve)


class SidePanel(LineView):
    """Show a run in groups, and the machine, which it measures while that is in view."""

    COMPONENT_CLASSES: ClassVar[set[str]] = StatusLines.COMPONENT_CLASSES

    def __init__(self) -> None:
        super().__init__()
        self.shown = RunView()
        self.host_pid: int | None = None
        """The id of the process that trains; None for this process."""
        self.starts_with_setup = False
        """Whether machine, model and data come first: the rest is in the two lines."""
        self.page = 0
        self._pages: list[Page] = []
        self._showed_machine = False
        self._reader: tuple[MeasuredRun, MachineReader] | None = None
        self._reading: MachineReading | None = None
        self._worker: Worker[None] | None = None
        self._counters: deque[UsageCounters] = deque(maxlen=2)
        self._cost: list[str] = []

    def on_mount(self) -> None:
        """Count the screen's cost from here on, also while closed: an opened panel shows it at once."""
        self._count_usage()
        self.set_interval(_USAGE_SECONDS, self._count_usage)

    @property
    def shows_machine(self) -> bool:
        """Whether the machine is on the page that is shown."""
        return bool(self._pages) and _MACHINE in self._pages[self.page].names

    @property
    def num_pages(self) -> int:
        """The number of pages at the current size."""
        return len(self._pages)

    def show(self, view: RunView) -> None:
        self.shown = view
        self.redraw()

    def turn_to(self, page: int) -> bool:
        """Show a page; after the last, the first. Return whether that is another one than the first."""
        self.page = page % max(self.num_pages, 1)
        self.redraw()
        return self.page > 0

    def lines_for(self, width: int) -> list[Line]:
        """Return the lines of the current page; read the machine as soon as it comes into view."""
        height, did_show_machine, self._showed_machine = self.size.height, self._showed_machine, False
        if not self.display or not width or not height:
            self._pages = []
            return []
        groups = groups_of(facts(self.shown, self.app.loss_unit), self.shown.progress, column_cells(width))
        of_name = {group.name: group for group in groups}
        setup = [of_name.pop("left out", None), self._machine_group, of_name.pop("model and data", None)]
        order = [*setup, *of_name.values()] if self.starts_with_setup else [*of_name.values(), *setup]
        self._pages = paged([group for group in order if group is not None], width, height)
        self.page = min(self.page, self.num_pages - 1)
        self._showed_machine = self.shows_machine
        if self._showed_machine and not did_show_machine:
            self._reading = None
            self.call_next(self._begin_to_measure)
        return page_lines(self._pages, self.page, width, height)

    def _machine_group(self, width: int, height: int) -> Group:
        return Group(_MACHINE, tuple(machine_lines(self.shown, self._reading, self._cost, width, height)))

    def _begin_to_measure(self) -> None:
        self._count_usage()
        self.measure()
        self.redraw()

    def measure(self) -> None:
        """Read the machine, and show it once it has been read. That of a replay was another one."""
        if not self.shown.is_replay and (self._worker is None or self._worker.is_finished):
            run = MeasuredRun(self.host_pid, has_ranks=num_ranks(self.shown) > 1)
            self._worker = self.run_worker(partial(self._read_machine, run))

    async def _read_machine(self, run: MeasuredRun) -> None:
        self._reading = await on_own_thread(partial(self._read, run))
        self.redraw()
        if self._reading.machine_cores is None:  # the first reading has no interval to measure cores over
            await asyncio.sleep(_FIRST_SECONDS)
            self._reading = await on_own_thread(partial(self._read, run))
            self.redraw()

    def _read(self, run: MeasuredRun) -> MachineReading:
        """Read the machine, on a worker thread, where opening the reader may block too. Calls never overlap."""
        if self._reader is None or run != self._reader[0]:
            self._reader = run, MachineReader(run)
        return self._reader[1].read()

    def _count_usage(self) -> None:
        """Compute the screen's cost since the call before the last."""
        driver = self.app.metered_driver
        num_bytes = driver.num_bytes if driver is not None else None
        counters = UsageCounters(time.monotonic(), time.thread_time(), num_bytes)
        if self._counters:
            self._cost = counters.cost_since(self._counters[0]) or self._cost
        self._counters.append(counters)
