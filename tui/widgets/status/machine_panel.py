"""`MachinePanel`: what the machine does, while it is open. What stands where is decided in `machine_lines`.

Closed, it costs nothing. Open, it measures when it is told to: the screen's own cost at once, the machine on a thread
of its own, because a GPU's driver can take its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from textual.worker import Worker

from tui.process.threads import on_own_thread
from tui.run.view import RunView
from tui.terminal.driver import MeteredDriver
from tui.terminal.textual_private import driver_of
from tui.widgets.status.line_panel import LinePanel
from tui.widgets.status.machine_lines import ScreenCost, machine_lines
from tui.widgets.status.machine_reader import MachineReader, MachineReading
from tui.widgets.status.status_lines import Line


class Reader(Protocol):
    """What reads the machine."""

    def read(self) -> MachineReading:
        """Return how it is now; on any thread."""


@dataclass(frozen=True)
class _Mark:
    """What the screen had taken at a moment."""

    seconds: float
    core_seconds: float
    num_bytes: int | None


class MachinePanel(LinePanel):
    """What a step's time goes into, and how busy the machine is."""

    DEFAULT_CSS = """
    MachinePanel { display: none; }
    """

    def __init__(
        self,
        open_reader: Callable[[int | None], Reader] = MachineReader.of_process,
        clock: Callable[[], float] = time.monotonic,
        core_seconds: Callable[[], float] = time.thread_time,
    ) -> None:
        """Begin closed. `core_seconds` tells how long the screen's thread has computed so far."""
        super().__init__()
        self.border_title, self.border_subtitle = "machine", "h closes"
        self._shown_view = RunView()
        self._open_reader = open_reader
        self._reader: Reader | None = None
        self._pid: int | None = None
        self._reading: MachineReading | None = None
        self._errand: Worker[None] | None = None
        self._clock = clock
        self._core_seconds = core_seconds
        self._mark: _Mark | None = None
        self._cost: ScreenCost | None = None

    def begin(self, view: RunView, pid: int | None = None) -> None:
        """Show `view`, and measure from now on: the process `pid`, which trains, or for None this one."""
        if pid != self._pid:
            self._pid, self._reader = pid, None
        self._mark = self._cost = None
        self.measure(view)
        self.show_lines()

    def measure(self, view: RunView) -> None:
        """Measure what was since the last time, and show it with `view`, once the machine has been read."""
        self._shown_view = view
        mark, before = self._mark_now(), self._mark
        if before is not None and mark.seconds > before.seconds:
            self._cost = _cost_between(before, mark)
        self._mark = mark
        if self._errand is None or self._errand.is_finished:
            self._errand = self.run_worker(self._read_machine())

    async def _read_machine(self) -> None:
        """Read the machine and show it."""
        self._reading = await on_own_thread(self._read)
        self.show_lines()

    def _read(self) -> MachineReading:
        """Return how the machine is. On an errand's thread, one at a time: opening the reader takes its time too."""
        if self._reader is None:
            self._reader = self._open_reader(self._pid)
        return self._reader.read()

    def _mark_now(self) -> _Mark:
        """Return what the screen has taken so far."""
        driver = driver_of(self.app)
        num_bytes = driver.num_bytes if isinstance(driver, MeteredDriver) else None
        return _Mark(self._clock(), self._core_seconds(), num_bytes)

    def lines_for(self, width: int, height: int) -> list[Line]:
        """Return what fits."""
        return machine_lines(self._shown_view, self._reading, self._cost, width, height)


def _cost_between(before: _Mark, now: _Mark) -> ScreenCost:
    """Return what the screen took between two moments."""
    seconds = now.seconds - before.seconds
    num_bytes = None
    if now.num_bytes is not None and before.num_bytes is not None:
        num_bytes = now.num_bytes - before.num_bytes
    return ScreenCost(
        core_share=(now.core_seconds - before.core_seconds) / seconds,
        bytes_per_second=None if num_bytes is None else num_bytes / seconds,
    )
