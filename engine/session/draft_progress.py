"""`DraftProgress` and `report_wait`: reports that the filter delays a tweet."""

from __future__ import annotations

from collections.abc import Callable

from engine.config.sampling import MAX_DRAFTS_IN_RUN
from engine.protocol import events
from engine.session.reporter import Reporter
from engine.session.state import RunState

LATE_SECONDS = 2.0
"""A tweet that takes longer is reported."""
MIN_WAIT_SECONDS = 4.0
"""A tweet that waits longer for its share of time is reported; without a filter, it waits about two seconds."""
_INTERVAL_SECONDS = 0.5


class DraftProgress:
    """Emits `TweetDelayed` every half second while the drafts of one tweet take longer than two."""

    def __init__(self, reporter: Reporter, clock: Callable[[], float]) -> None:
        self.num_drafts = 0
        """Finished drafts."""
        self._reporter = reporter
        self._clock = clock
        self._due_at = clock() + LATE_SECONDS

    def report(self) -> None:
        """Emit the number of drafts, if it is due; called after each character."""
        now = self._clock()
        if now > self._due_at:
            self._due_at = now + _INTERVAL_SECONDS
            self._reporter.emit(events.TweetDelayed, num_drafts=self.num_drafts, max_drafts=MAX_DRAFTS_IN_RUN)


def report_wait(reporter: Reporter, state: RunState, seconds: float) -> None:
    """Emit within how many seconds the next tweet is due, where the drafts of the last took so long that it is late."""
    is_due_by_time = state.training.sample_pacing == "seconds"
    if state.sampling.has_filter and is_due_by_time and seconds > MIN_WAIT_SECONDS:
        fields = {"num_drafts": 0, "max_drafts": MAX_DRAFTS_IN_RUN, "due_in_seconds": seconds}
        reporter.emit(events.TweetDelayed, **fields)
