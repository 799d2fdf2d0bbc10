"""`PhaseTimer`: a breakdown of a run's time by phase of the work.

One phase is active at a time: `switch_to` ends it and starts another, `during` activates one for a block. A switch
takes less than a microsecond, so a step can afford several. The timer never waits for a device: time on a GPU counts
for the phase in which the host waits for it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Literal, get_args

Phase = Literal["data", "forward", "backward", "optimizer", "waiting", "sampling", "evaluation", "saving", "other"]
PHASES: tuple[Phase, ...] = get_args(Phase)
_DECIMALS = 6


class PhaseTimer:
    """Seconds of each phase since the last `drain`. Not thread-safe."""

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
        fields = {"num_steps": self.num_steps, "seconds": round(self.seconds, _DECIMALS)}
        fields |= {f"{phase}_seconds": round(self._seconds[phase], _DECIMALS) for phase in PHASES if phase != "other"}
        self.num_steps = 0
        self._seconds = dict.fromkeys(PHASES, 0.0)
        return fields
