"""How fast: characters per second over the last few seconds, and a clock that stands still while paused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 5.0


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
