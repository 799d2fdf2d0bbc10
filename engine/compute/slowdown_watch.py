"""`StepPace`: watches how fast the steps are, and says when it is time to measure again with how many threads.

Only seconds spent in steps are counted, so that pauses, evaluations and tweets can't look like a loss of speed. There
are two occasions: the steps have become much slower than they should be (another process came), and a long time has
passed (it may have gone). Both wait longer each time that measuring changed nothing.
"""

from __future__ import annotations

import math

WINDOW_SECONDS = 1.5
LOW_SHARE = 0.7
"""A window is low when it has less than this share of the speed that is due."""
MAX_LOW_WINDOWS = 3
STEP_SHARE = 0.7
"""A step does at least this share of the characters a second of the mere passes that were measured."""
MIN_DROP_SECONDS = 30.0
MIN_LOOK_SECONDS, MAX_LOOK_SECONDS = 20.0, 480.0


class StepPace:
    """The speed of one run's steps since the last measurement."""

    def __init__(self, measured: float) -> None:
        """Begin after a measurement of that many characters per second."""
        self._due = STEP_SHARE * measured
        self._seconds, self._num_chars = 0.0, 0
        self._low_windows = 0
        self._since_measured = 0.0
        self._since_drop = math.inf
        self._drop_seconds = MIN_DROP_SECONDS / 2  # the wait after the first drop that changed nothing is twice this
        self._look_seconds = MIN_LOOK_SECONDS

    @property
    def has_dropped(self) -> bool:
        """Whether the steps have been much slower than they should be, for several seconds."""
        return self._low_windows >= MAX_LOW_WINDOWS and self._since_drop >= self._drop_seconds

    @property
    def should_measure(self) -> bool:
        """Whether it is time to measure again."""
        return self.has_dropped or self._since_measured >= self._look_seconds

    def note(self, seconds: float, num_chars: int) -> None:
        """Take note of a step that took so long and learned from so many characters."""
        self._seconds += seconds
        self._num_chars += num_chars
        if self._seconds < WINDOW_SECONDS:
            return
        rate = self._num_chars / self._seconds
        self._low_windows = self._low_windows + 1 if rate < LOW_SHARE * self._due else 0
        self._due = max(self._due, rate)
        self._since_measured += self._seconds
        self._since_drop += self._seconds
        self._seconds, self._num_chars = 0.0, 0

    def forget(self) -> None:
        """Forget what is due, and ask for a measurement: the steps are those of another model now."""
        self._due = 0.0
        self._low_windows = 0
        self._since_measured = math.inf

    def restart(self, measured: float, *, has_changed: bool) -> None:
        """Go on after another measurement, which led to another number of threads or not."""
        longer_look = min(MAX_LOOK_SECONDS, 2 * self._look_seconds)
        if self.has_dropped:
            longer = min(MAX_LOOK_SECONDS, 2 * self._drop_seconds)
            self._drop_seconds = MIN_DROP_SECONDS if has_changed else longer
            self._since_drop = 0.0
            has_lasted = self._since_measured >= MIN_LOOK_SECONDS
            self._look_seconds = MIN_LOOK_SECONDS if has_changed and has_lasted else longer_look
        elif not has_changed:
            self._look_seconds = longer_look
        self._due = STEP_SHARE * measured
        self._seconds, self._num_chars = 0.0, 0
        self._low_windows = 0
        self._since_measured = 0.0
