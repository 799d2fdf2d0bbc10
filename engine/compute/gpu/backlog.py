"""`Backlog`: limits how many steps are queued on a GPU, so that a key press need not wait for seconds of them.

The host queues a step in a fraction of the time that the device needs for it, and would run ahead without limit. About
`SECONDS` of work are queued, so that the device has something to do while the host does something else, but at least
`MIN_STEPS`. Waiting blocks the thread; it does not occupy a core.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import torch

SECONDS = 0.02
MIN_STEPS = 2
_SMOOTHING = 0.1
"""Weight of the last step in the mean time of a step."""


class Event(Protocol):
    """A point in the device's work; `torch.cuda.Event` is one."""

    def record(self) -> None:
        """Put the event behind the work that is queued on the current stream."""

    def synchronize(self) -> None:
        """Wait until the device has reached the event."""

    def elapsed_time(self, end_event: Any) -> float:  # noqa: ANN401 - an event of the same class
        """Return the milliseconds between two events that the device has reached."""


def cuda_event() -> Event:
    """Return an event that has a time and that a thread can wait for without occupying a core."""
    return torch.cuda.Event(enable_timing=True, blocking=True)  # type: ignore[no-untyped-call] # torch leaves it untyped


class Backlog:
    """The steps that are queued on a device. Not thread-safe."""

    def __init__(self, make_event: Callable[[], Event] = cuda_event) -> None:
        self._make_event = make_event
        self._queued: deque[Event] = deque()
        self._last: Event | None = None
        """The end of the last step that the device is known to have completed."""
        self._step_seconds: float | None = None
        """Smoothed time between the ends of two steps."""

    @property
    def limit(self) -> int:
        """How many steps may be queued."""
        return MIN_STEPS if self._step_seconds is None else max(MIN_STEPS, int(SECONDS / self._step_seconds))

    def add_step(self) -> None:
        """Record that a step has been queued; wait until at most `limit` are left."""
        event = self._make_event()
        event.record()
        self._queued.append(event)
        while len(self._queued) > self.limit:
            first = self._queued.popleft()
            first.synchronize()
            if self._last is not None:
                self._measure(max(self._last.elapsed_time(first) / 1000, 1e-6))
            self._last = first

    def _measure(self, seconds: float) -> None:
        """Include the time of a step in the mean."""
        before = seconds if self._step_seconds is None else self._step_seconds
        self._step_seconds = before + _SMOOTHING * (seconds - before)
