"""`DraftCounts`: how many drafts the tweets of `generate` took, as lines on stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.protocol.events import RefusalReason
from tui.formatting.drafts import format_refused
from tui.formatting.numbers import format_count

if TYPE_CHECKING:
    from engine.sampling.generation import GeneratedTweet


class DraftCounts:
    """Adds up the drafts of several tweets."""

    def __init__(self) -> None:
        self._num_tweets = 0
        self._num_drafts = 0
        self._refused: Counter[RefusalReason] = Counter()
        self._num_nearest = 0
        self._num_drafts_of_nearest = 0
        self._unmet: Counter[RefusalReason] = Counter()

    def add(self, tweet: GeneratedTweet) -> None:
        """Count the drafts of one more tweet."""
        self._num_tweets += 1
        self._num_drafts += tweet.num_drafts
        self._refused.update(dict(tweet.refused))
        if tweet.unmet:
            self._num_nearest += 1
            self._num_drafts_of_nearest += tweet.num_drafts
            self._unmet.update(tweet.unmet)

    def lines(self) -> Iterator[str]:
        """Yield "5 of 38 drafts: 20 copies, 13 with avoided words", and where no draft met the wishes, that too."""
        num_met = self._num_drafts - self._refused.total()
        num_surpassed = num_met - (self._num_tweets - self._num_nearest)
        reasons = [format_refused(self._refused.items())] if self._refused else []
        reasons += [f"{format_count(num_surpassed)} with more bits per character"] if num_surpassed else []
        yield f"{_of(self._num_tweets, self._num_drafts, 'draft')}: {', '.join(reasons) or 'none refused'}"
        if self._num_nearest:
            yield (
                f"Wishes not met by {_of(self._num_nearest, self._num_tweets, 'tweet')}, "
                f"the nearest of {format_count(self._num_drafts_of_nearest)}: {format_refused(self._unmet.items())}"
            )


def _of(part: int, whole: int, noun: str) -> str:
    return f"{format_count(part)} of {format_count(whole)} {noun}{'' if whole == 1 else 's'}"
