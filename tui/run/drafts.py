"""`DraftCounts`: the drafts of the tweets that a filter was set for, counted over a run. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, get_args

from engine.config.sampling import SamplingConfig
from engine.protocol.events import RefusalReason

DECISIVE_FIELDS = ("only_new", "avoid", "must_contain", "min_length", "max_length", "best_of")
"""The settings that decide which drafts pass: the filter and the maximum length, in the order of its dialog."""


class DraftedTweet(Protocol):
    """A `TweetSampled`, or a tweet of `generate`."""

    @property
    def num_drafts(self) -> int:
        """Drafts until this one was chosen."""

    @property
    def refused(self) -> Sequence[tuple[RefusalReason, int]]:
        """Refused drafts by reason."""

    @property
    def unmet(self) -> Sequence[RefusalReason]:
        """The reasons against the tweet itself."""


@dataclass(frozen=True, kw_only=True)
class DraftCounts:
    """The drafts since the filter was last changed."""

    num_drafts: int = 0
    num_shown: int = 0
    """Tweets: the drafts that were chosen."""
    num_failing: int = 0
    """Those of the tweets that do not pass the filter, as no draft did."""
    refused: tuple[tuple[RefusalReason, int], ...] = ()
    """Refused drafts by reason, in the order of `RefusalReason`; those of the failing tweets are among them."""

    @property
    def num_passed_over(self) -> int:
        """Drafts that passed the filter and were not the best."""
        return self.num_drafts - sum(count for _, count in self.refused) - (self.num_shown - self.num_failing)


def counts_after(counts: DraftCounts, tweets: Sequence[DraftedTweet]) -> DraftCounts:
    """Return the counts with the drafts of more tweets."""
    refused = Counter(dict(counts.refused))
    for tweet in tweets:
        refused.update(dict(tweet.refused))
    return DraftCounts(
        num_drafts=counts.num_drafts + sum(tweet.num_drafts for tweet in tweets),
        num_shown=counts.num_shown + len(tweets),
        num_failing=counts.num_failing + sum(bool(tweet.unmet) for tweet in tweets),
        refused=tuple((reason, refused[reason]) for reason in get_args(RefusalReason) if refused[reason]),
    )


def has_same_filter(sampling: SamplingConfig, other: SamplingConfig) -> bool:
    """Return whether both refuse the same drafts."""
    return _filter_of(sampling) == _filter_of(other)


def _filter_of(sampling: SamplingConfig) -> tuple[object, ...] | None:
    """Return the settings of the filter; None without a filter."""
    return tuple(getattr(sampling, name) for name in DECISIVE_FIELDS) if sampling.has_filter else None
