"""`SpeedLimit`: spaces the steps of a run, so that they can be watched.

Waiting is cut into naps, between which the loop executes commands.
"""

from __future__ import annotations

import math
from collections.abc import Callable

NAP_SECONDS = 0.005
"""How long a command waits at most."""


class SpeedLimit:
    """The time of the last step of one run. Used by the session's thread only."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_step_at = -math.inf

    def begin_step(self) -> None:
        """Record that a step begins now."""
        self._last_step_at = self._clock()

    def nap(self, steps_per_second: float, sleep: Callable[[float], None]) -> bool:
        """Sleep for at most `NAP_SECONDS` if the next step is too early, at a limit above 0; return whether it is."""
        remaining = self._last_step_at + 1 / steps_per_second - self._clock()
        if remaining > 0:
            sleep(min(remaining, NAP_SECONDS))
        return remaining > 0
