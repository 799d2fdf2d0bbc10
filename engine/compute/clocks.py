"""How fast: characters per second over the last few seconds, and clocks that stand still while nothing is trained.

Nothing here knows the time of day: that clock is set, forward and back.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 5.0
GAP_SECONDS = 60.0
"""From here on it is asked whether the process ran at all."""
_IDLE_SHARE = 0.1
_CPU_LOOK_SECONDS = 1.0


class ProcessStops:
    """How long this process has been stopped, by a ctrl+z. Told by whoever handles its signals, for any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without a stop."""
        self._clock = clock
        self._stops: tuple[float, float | None] = 0.0, None
        # one value, so that no thread sees half a change: seconds of all stops, and when the present one began

    @property
    def seconds(self) -> float:
        """Seconds of all stops so far, the present one included."""
        total, began = self._stops
        return total if began is None else total + self._clock() - began

    def begin(self) -> None:
        """Take note that the process is about to stop."""
        self._stops = self._stops[0], self._clock()

    def end(self) -> None:
        """Take note that it goes on."""
        self._stops = self.seconds, None


PROCESS_STOPS = ProcessStops()
"""Those of this process: it is stopped as a whole."""


class SteadyClock:
    """A clock without the time in which the process did not run: a suspended laptop, a stopped process or machine.

    Systems differ in whether their steady clock counts that. So between two looks, a gap of at least `GAP_SECONDS` in
    which the process used less than a tenth of a processor counts as nothing: a step, or an evaluation's batch, that
    takes so long computes all the time. A clock that goes back stands still.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
        stops: ProcessStops = PROCESS_STOPS,
    ) -> None:
        """Begin at what `clock` says. `cpu_clock` gives the processor's seconds that this process has used."""
        self._wall_clock = clock
        self._stops = stops
        self._cpu_clock = cpu_clock
        self._last = self._cpu_looked_at = self._clock()
        self._cpu_seconds = cpu_clock()
        self._left_out = 0.0

    def _clock(self) -> float:
        """Return seconds without those of stops that were told."""
        return self._wall_clock() - self._stops.seconds

    def __call__(self) -> float:
        """Return seconds that never go back."""
        now = self._clock()
        gap = now - self._last
        if gap < 0.0 or (gap >= GAP_SECONDS and self._was_idle(gap)):
            self._left_out += gap
        if not 0.0 <= now - self._cpu_looked_at < _CPU_LOOK_SECONDS:
            self._cpu_looked_at, self._cpu_seconds = now, self._cpu_clock()
        self._last = now
        return now - self._left_out

    def _was_idle(self, gap: float) -> bool:
        """Return whether the process hardly ran in the gap that has just ended, and the second before it."""
        return self._cpu_clock() - self._cpu_seconds < _IDLE_SHARE * gap


class Stopwatch:
    """Seconds of training: runs on from `offset`, stands still between `pause` and `resume`."""

    def __init__(self, clock: Callable[[], float], offset: float = 0.0) -> None:
        """Start running. `clock` gives seconds and never goes back, as `time.monotonic`."""
        self.clock = clock
        self._started = clock() - offset
        self._paused_at: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds that it has run."""
        return (self.clock() if self._paused_at is None else self._paused_at) - self._started

    def pause(self) -> None:
        """Stand still."""
        if self._paused_at is None:
            self._paused_at = self.clock()

    def resume(self) -> None:
        """Run on."""
        if self._paused_at is not None:
            self._started += self.clock() - self._paused_at
            self._paused_at = None


class Throughput:
    """Characters per second of training over the last `WINDOW_SECONDS`."""

    def __init__(self) -> None:
        """Begin without a past."""
        self._marks: deque[tuple[float, int]] = deque()

    def update(self, elapsed_seconds: float, total_chars: int) -> float:
        """Take note of a total and return the rate since the window began; 0 until two moments are known."""
        self._marks.append((elapsed_seconds, total_chars))
        while len(self._marks) > 2 and self._marks[1][0] <= elapsed_seconds - WINDOW_SECONDS:
            self._marks.popleft()
        first_seconds, first_chars = self._marks[0]
        duration = elapsed_seconds - first_seconds
        return (total_chars - first_chars) / duration if duration > 0 else 0.0
