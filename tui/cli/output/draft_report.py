"""How many drafts the tweets of `generate` took, as lines on stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.protocol.events import RefusalReason
from tui.run.marks import DraftCounts, drafts_text
from tui.text.numbers import format_count
from tui.text.tweets import refused_text

if TYPE_CHECKING:
    from engine.sampling.generation import GeneratedTweet


class DraftReport:
    """Adds up the drafts of several tweets."""

    def __init__(self) -> None:
        self._counts = DraftCounts()
        self._unmet: Counter[RefusalReason] = Counter()

    def add(self, tweet: GeneratedTweet) -> None:
        """Count the drafts of one more tweet."""
        self._counts = self._counts.plus(tweet.num_drafts, tweet.refused, is_failing=bool(tweet.unmet))
        self._unmet.update(tweet.unmet)

    def lines(self) -> Iterator[str]:
        """Yield "33 of 38 drafts refused: 20 copies, 13 unfinished", and how many of the tweets did not pass."""
        counts = self._counts
        yield drafts_text(counts)
        if counts.num_failing:
            tweets = f"{format_count(counts.num_shown)} tweet{'' if counts.num_shown == 1 else 's'}"
            which, reasons = f"{format_count(counts.num_failing)} of {tweets}", refused_text(self._unmet.items())
            yield f"The filter refused all drafts of {which}; the nearest are shown: {reasons}"
