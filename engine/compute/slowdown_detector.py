"""`SlowdownDetector`: the speed of the training steps, and when to measure the number of threads again.

Only time spent in steps counts, so pauses, evaluations and sampling never look like a slowdown. There are two reasons
to measure again: the steps are much slower than expected (another process started), or a long time has passed (it may
have ended). Each measurement that changed nothing doubles the wait before the next one.
"""

from __future__ import annotations

import math

WINDOW_SECONDS = 1.5
LOW_SHARE = 0.7
"""A window is low if its speed is below this share of the expected one."""
MAX_LOW_WINDOWS = 3
STEP_SHARE = 0.7
"""Minimum speed of a whole step, as a share of the measured speed of the forward and backward pass alone."""
MIN_DROP_SECONDS = 30.0
MIN_CHECK_SECONDS, MAX_CHECK_SECONDS = 20.0, 480.0


class SlowdownDetector:
    """Speed of one run's steps since the last measurement."""

    def __init__(self) -> None:
        """Start without a measurement: the expected speed is that of the steps so far."""
        self._expected = 0.0
        self._seconds, self._num_chars = 0.0, 0
        self._low_windows = 0
        self._since_measured = 0.0
        self._since_drop = math.inf
        self._drop_seconds = MIN_DROP_SECONDS / 2  # doubled after the first drop that changed nothing
        self._check_seconds = MIN_CHECK_SECONDS

    @property
    def has_dropped(self) -> bool:
        """Whether the steps have been much slower than expected for several seconds."""
        return self._low_windows >= MAX_LOW_WINDOWS and self._since_drop >= self._drop_seconds

    @property
    def should_measure(self) -> bool:
        """Whether it is time to measure again."""
        return self.has_dropped or self._since_measured >= self._check_seconds

    def add_step(self, seconds: float, num_chars: int) -> None:
        """Record the duration and the number of characters of a step."""
        self._seconds += seconds
        self._num_chars += num_chars
        if self._seconds < WINDOW_SECONDS:
            return
        rate = self._num_chars / self._seconds
        self._low_windows = self._low_windows + 1 if rate < LOW_SHARE * self._expected else 0
        self._expected = max(self._expected, rate)
        self._since_measured += self._seconds
        self._since_drop += self._seconds
        self._seconds, self._num_chars = 0.0, 0

    def restart(self, measured: float, *, has_changed: bool) -> None:
        """Start over after a measurement of `measured` characters per second; threads or precision may have changed."""
        longer_check = min(MAX_CHECK_SECONDS, 2 * self._check_seconds)
        if self.has_dropped:
            longer = min(MAX_CHECK_SECONDS, 2 * self._drop_seconds)
            self._drop_seconds = MIN_DROP_SECONDS if has_changed else longer
            self._since_drop = 0.0
            has_lasted = self._since_measured >= MIN_CHECK_SECONDS
            self._check_seconds = MIN_CHECK_SECONDS if has_changed and has_lasted else longer_check
        elif not has_changed:
            self._check_seconds = longer_check
        self._expected = STEP_SHARE * measured
        self._seconds, self._num_chars = 0.0, 0
        self._low_windows = 0
        self._since_measured = 0.0
