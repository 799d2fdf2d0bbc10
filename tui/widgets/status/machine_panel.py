"""`MachinePanel`: base of a panel with a group about the machine: its load, read while shown, and the screen's cost.

The layout is in `machine_lines`. The machine is read on a thread, as a GPU's driver can block.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from textual.worker import Worker

from tui.process.threads import begin_work, on_own_thread
from tui.run.view import RunView
from tui.terminal.driver import MeteredDriver
from tui.terminal.textual_private import driver_of
from tui.widgets.status.line_panel import LinePanel
from tui.widgets.status.lines import Line
from tui.widgets.status.machine_lines import machine_lines
from tui.widgets.status.machine_reader import MachineReader, MachineReading, MeasuredRun
from tui.widgets.status.step_breakdown import ScreenCost, UsageCounters
from tui.widgets.status.view_text import num_ranks

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
