"""`PhaseTimer`: what a run's time goes into, part by part.

A clock that runs for one part of the work at a time: `switch_to` ends one part and begins the next, `during` lends the
clock to what is in a block. A turn takes less than a microsecond, so that a step can afford several. It waits for no
device: what a GPU does is counted where somebody waits for it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Literal, get_args

Part = Literal["data", "forward", "backward", "optimizer", "sampling", "evaluation", "saving", "other"]
_PARTS: tuple[Part, ...] = get_args(Part)
_MICROSECONDS = 6


class PhaseTimer:
    """Seconds of each part since the last `take`. One thread at a time."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Begin with the part "other"."""
        self.num_steps = 0
        """Counted by whoever takes them."""
        self._clock = clock
        self._part: Part = "other"
        self._since = clock()
        self._is_stopped = False
        self._seconds = dict.fromkeys(_PARTS, 0.0)

    @property
    def seconds(self) -> float:
        """Seconds of all parts together since the last `take`."""
        self.switch_to(self._part)
        return sum(self._seconds.values())

    def switch_to(self, part: Part) -> None:
        """Let the clock run for `part` from now on."""
        now = self._clock()
        if not self._is_stopped:
            self._seconds[self._part] += now - self._since
        self._part, self._since = part, now

    @contextlib.contextmanager
    def during(self, part: Part) -> Iterator[None]:
        """Count what is in the block for `part`, then go on with the part before."""
        before = self._part
        self.switch_to(part)
        try:
            yield
        finally:
            self.switch_to(before)

    def stop(self) -> None:
        """Count nothing from now on."""
        self.switch_to("other")
        self._is_stopped = True

    def go_on(self) -> None:
        """Count again."""
        self.switch_to("other")
        self._is_stopped = False

    def take(self) -> dict[str, float]:
        """Return the fields of a `StepTimes`, and begin anew."""
        fields = {"num_steps": self.num_steps, "seconds": round(self.seconds, _MICROSECONDS)}
        fields |= {f"{part}_seconds": round(self._seconds[part], _MICROSECONDS) for part in _PARTS if part != "other"}
        self.num_steps = 0
        self._seconds = dict.fromkeys(_PARTS, 0.0)
        return fields
