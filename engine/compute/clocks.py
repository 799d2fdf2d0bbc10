"""Clocks that exclude pauses and suspended time, training throughput, and the time of a run by phase of its work."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal, get_args

WINDOW_SECONDS = 5.0
"""Over which the training speed is measured."""
GAP_SECONDS = 60.0
"""Gaps between two readings from this length on are checked for CPU time."""


class ProcessStops:
    """How long this process has been stopped, as by ctrl+z. Set by the signal handler, readable from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stops: tuple[float, float | None] = 0.0, None
        """Seconds of all earlier stops, start of the current one: one value, so that no thread reads half a change."""

    @property
    def seconds(self) -> float:
        """Seconds of all stops so far, including the current one."""
        total, began = self._stops
        return total if began is None else total + self._clock() - began

    def begin(self) -> None:
        """Record that the process is about to stop."""
        self._stops = self._stops[0], self._clock()

    def end(self) -> None:
        """Record that the process continues."""
        self._stops = self.seconds, None


PROCESS_STOPS = ProcessStops()


class SteadyClock:
    """A monotonic clock that excludes time in which the process did not run: stopped, or on a suspended machine.

    Systems differ in whether their monotonic clock counts a suspension. So a gap of at least `GAP_SECONDS` between two
    readings counts as zero if the process used less than a tenth of a CPU in it; a training step or an evaluation that
    takes so long computes all the time. If the underlying clock goes back, this one stands still.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
        stops: ProcessStops = PROCESS_STOPS,
    ) -> None:
        """Start at the time of `clock`; `cpu_clock` returns the CPU seconds that this process has used."""
        self._wall_clock = clock
        self._stops = stops
        self._cpu_clock = cpu_clock
        self._last = self._cpu_read_at = self._clock()
        self._cpu_seconds = cpu_clock()
        self._excluded = 0.0

    def _clock(self) -> float:
        """Return seconds without the recorded stops."""
        return self._wall_clock() - self._stops.seconds

    def __call__(self) -> float:
        """Return seconds; never less than before."""
        now = self._clock()
        gap = now - self._last
        if gap < 0.0 or (gap >= GAP_SECONDS and self._cpu_clock() - self._cpu_seconds < 0.1 * gap):
            self._excluded += gap
        if not 0.0 <= now - self._cpu_read_at < 1.0:
            self._cpu_read_at, self._cpu_seconds = now, self._cpu_clock()
        self._last = now
        return now - self._excluded


class Stopwatch:
    """Seconds of training, counted from `offset` on and without pauses."""

    def __init__(self, clock: Callable[[], float], offset: float = 0.0) -> None:
        self.clock = clock
        self._started = clock() - offset
        self._paused_at: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds run so far, `offset` included."""
        return (self.clock() if self._paused_at is None else self._paused_at) - self._started

    def pause(self) -> None:
        """Stop counting; no-op while paused."""
        if self._paused_at is None:
            self._paused_at = self.clock()

    def resume(self) -> None:
        """Continue counting; no-op while running."""
        if self._paused_at is not None:
            self._started += self.clock() - self._paused_at
            self._paused_at = None


class Throughput:
    """Training speed in characters per second over the last `WINDOW_SECONDS`."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def update(self, elapsed_seconds: float, total_chars: int) -> float:
        """Record a total and return the speed over the window; 0 until there are two totals."""
        self._marks.append((elapsed_seconds, total_chars))
        while len(self._marks) > 2 and self._marks[1][0] <= elapsed_seconds - WINDOW_SECONDS:
            self._marks.popleft()
        first_seconds, first_chars = self._marks[0]
        duration = elapsed_seconds - first_seconds
        return (total_chars - first_chars) / duration if duration > 0 else 0.0


Phase = Literal["data", "forward", "backward", "optimizer", "waiting", "sampling", "evaluation", "saving", "other"]
PHASES: tuple[Phase, ...] = get_args(Phase)


class PhaseTimer:
    """Seconds of each phase since the last `drain`. Not thread-safe.

    One phase is active at a time. A switch takes less than a microsecond, so a step can afford several. It never waits
    for a device: time on a GPU counts for the phase in which the host waits for it.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Start in the phase "other"."""
        self.num_steps = 0
        """Steps since the last `drain`, incremented by the caller."""
        self._clock = clock
        self._phase: Phase = "other"
        self._since = clock()
        self._is_stopped = False
        self._seconds = dict.fromkeys(PHASES, 0.0)

    @property
    def seconds(self) -> float:
        """Seconds of all phases since the last `drain`."""
        self.switch_to(self._phase)
        return sum(self._seconds.values())

    def switch_to(self, phase: Phase) -> None:
        """End the active phase and start `phase`."""
        now = self._clock()
        if not self._is_stopped:
            self._seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now

    @contextlib.contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Time the block as `phase`, then return to the phase before."""
        before = self._phase
        self.switch_to(phase)
        try:
            yield
        finally:
            self.switch_to(before)

    def stop(self) -> None:
        """Stop timing, as in a pause."""
        self.switch_to("other")
        self._is_stopped = True

    def resume(self) -> None:
        """Resume in the phase "other"."""
        self.switch_to("other")
        self._is_stopped = False

    def drain(self) -> dict[str, float]:
        """Return the fields of a `StepTimes` event, rounded to microseconds, and reset all counts."""
        fields = {"num_steps": self.num_steps, "seconds": round(self.seconds, 6)}
        fields |= {f"{phase}_seconds": round(self._seconds[phase], 6) for phase in PHASES if phase != "other"}
        self.num_steps = 0
        self._seconds = dict.fromkeys(PHASES, 0.0)
        return fields
