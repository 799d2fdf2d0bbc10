"""`Backoff`: when what has failed is worth another try. Soon at first, then ever later, never given up."""

from __future__ import annotations

from collections.abc import Callable

FIRST_SECONDS, LONGEST_SECONDS = 5.0, 300.0


class Backoff:
    """Waits between tries: `FIRST_SECONDS`, then twice as long each time, up to `LONGEST_SECONDS`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin without a failure. `clock` gives seconds and never goes back."""
        self._clock = clock
        self._wait_seconds = 0.0
        self._failed_at = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether the last try failed."""
        return self._wait_seconds > 0

    @property
    def is_over(self) -> bool:
        """Whether it may be tried now."""
        return self._clock() - self._failed_at >= self._wait_seconds

    def fail(self) -> None:
        """Wait from now on, longer than after the failure before."""
        self._wait_seconds = min(LONGEST_SECONDS, max(FIRST_SECONDS, 2 * self._wait_seconds))
        self._failed_at = self._clock()

    def work(self) -> None:
        """Forget the failures."""
        self._wait_seconds = 0.0
