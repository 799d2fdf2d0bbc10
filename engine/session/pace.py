"""`Pace`: limits samples and evaluations to a share of the time, where steps alone would make them too frequent.

A GPU takes thousands of steps a second, but a tweet or an evaluation needs hundreds of operations in sequence on any
device: at intervals of steps they would take most of the time. So on a device they are due at the same steps as ever,
and are skipped at those that come too soon after the last one, if `TrainingConfig.pacing` is "seconds". On any machine,
if `sample_pacing` is "seconds", tweets are due as soon as the pace allows one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

MAX_SHARE = 0.05
"""Largest share of the time that evaluations take."""
MAX_SAMPLE_SHARE = 0.02
"""Largest share of the time that samples take."""
SAMPLE_SECONDS = 2.0
"""Least time between two samples: often enough to watch, and a day of them is some 25 MB of events."""


class Pace:
    """When one kind of work may be done again. Not thread-safe."""

    def __init__(self, clock: Callable[[], float], min_seconds: float = 0.0, max_share: float = MAX_SHARE) -> None:
        """Allow the first work at once, then one every `min_seconds`, or less often if it takes long."""
        self._clock = clock
        self._min_seconds = min_seconds
        self._max_share = max_share
        self._next = self._least_next = clock()

    @property
    def allows_work(self) -> bool:
        """Whether enough time has passed since the last work."""
        return self.seconds_left <= 0

    @property
    def seconds_left(self) -> float:
        """Time until work is allowed; negative since then."""
        return self._next - self._clock()

    def forget_share(self) -> None:
        """Allow work after the least time: the next one may take another share of the time than the last."""
        self._next = min(self._next, self._least_next)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Time the work in the block, also if it fails."""
        began = self._clock()
        try:
            yield
        finally:
            self._least_next = began + self._min_seconds
            self._next = max(self._least_next, began + (self._clock() - began) / self._max_share)
