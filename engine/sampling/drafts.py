"""`draft_tweets`: for each tweet, drafts until one passes the filter, or the one that comes nearest.

A draft is a whole sampled tweet. The first draft of a tweet has the tweet's own seed, the others have seeds derived
from it, and drafts are judged in the order of their numbers. So the choice does not depend on how many are sampled at
once, up to the rounding that `engine.sampling.sampler` names: drafts sampled beyond the last one needed count nowhere.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, get_args

from engine.compute.device import derived_seed
from engine.protocol.events import RefusalReason
from engine.sampling.sampler import SampledTweet
from engine.sampling.tweet_filter import TweetFilter

MAX_BATCH_SIZE = 256
"""Drafts sampled at once at most."""
MAX_BATCH_CHARS = 1_000_000
"""Characters of the drafts sampled at once at most, at their maximum length: a character takes 20 bytes meanwhile."""
_DRAFT = 5  # purpose of derived seeds
SampleDrafts = Callable[[Sequence[int]], list[SampledTweet]]
"""Samples one draft per seed."""


@dataclass(frozen=True, kw_only=True)
class ChosenDraft:
    """The draft that was chosen for a tweet: of those that pass the filter the one with the fewest bits per character.

    If none does, of those with the fewest reasons against them.
    """

    draft: SampledTweet
    seed: int
    """The tweet's own, from which all its drafts follow."""
    num_drafts: int
    """Drafts judged until the choice."""
    refused: tuple[tuple[RefusalReason, int], ...]
    """Refused drafts by their first reason; the others passed the filter."""
    unmet: tuple[RefusalReason, ...]
    """The reasons against the draft; () unless all were refused."""


class _Drafts:
    """The drafts of one tweet, judged one after another."""

    def __init__(self, seed: int, tweet_filter: TweetFilter, max_drafts: int) -> None:
        self.choice: ChosenDraft | None = None
        """None while further drafts are needed and allowed."""
        self._seed = seed
        self._filter = tweet_filter
        self._max_drafts = max_drafts
        self._num_judged = 0
        self._refused: Counter[RefusalReason] = Counter()
        self._nearest: _Judged | None = None

    @property
    def _num_missing(self) -> int:
        """How many more drafts have to pass the filter."""
        return self._filter.best_of - (self._num_judged - self._refused.total())

    def next_seeds(self, max_count: int) -> list[int]:
        """Return the seeds of the drafts to sample next: as many as are missing, or as were judged already."""
        first = self._num_judged
        count = min(max(self._num_missing, first), self._max_drafts - first, max_count)
        return [self._seed_of(number) for number in range(first, first + count)]

    def _seed_of(self, number: int) -> int:
        return self._seed if number == 0 else derived_seed(self._seed, _DRAFT, number)

    def judge(self, drafts: Sequence[SampledTweet]) -> None:
        """Judge the next drafts, in the order of their seeds, as far as they are needed."""
        for draft in drafts:
            if self.choice is not None:
                return
            judged = _Judged(draft, self._num_judged, self._filter.reasons(draft))
            self._num_judged += 1
            if judged.unmet:
                self._refused[judged.unmet[0]] += 1
            nearest = judged if self._nearest is None else min(self._nearest, judged, key=_Judged.distance)
            self._nearest = nearest
            if self._num_missing == 0 or self._num_judged == self._max_drafts:
                self.choice = ChosenDraft(
                    draft=nearest.draft,
                    seed=self._seed,
                    num_drafts=self._num_judged,
                    refused=tuple(
                        (reason, count) for reason in get_args(RefusalReason) if (count := self._refused[reason])
                    ),
                    unmet=nearest.unmet,
                )


class _Judged(NamedTuple):
    """A draft, and the reasons against it."""

    draft: SampledTweet
    number: int
    unmet: tuple[RefusalReason, ...]

    def distance(self) -> tuple[int, float, int]:
        """Return how far it is from what is wanted: reasons against it, then bits per character, then its number."""
        return len(self.unmet), self.draft.bits_per_char, self.number


def draft_tweets(
    sample: SampleDrafts,
    tweet_filter: TweetFilter,
    seeds: Iterable[int],
    max_drafts: int,
    batch_size: int | None = None,
) -> Iterator[ChosenDraft]:
    """Yield a tweet per seed, in order, of at most `max_drafts` drafts each, of one if sampling is greedy.

    `batch_size` is by default as large as `MAX_BATCH_SIZE` and `MAX_BATCH_CHARS` allow. A batch has as many drafts of
    the first undecided tweets as fit: of each at first those that are needed at least, then as many again as were
    judged, so at most about half of them are sampled in vain.
    """
    if batch_size is None:
        batch_size = max(1, min(MAX_BATCH_SIZE, MAX_BATCH_CHARS // tweet_filter.max_length))
    waiting = iter(seeds)
    max_drafts = 1 if tweet_filter.is_greedy else max_drafts
    undecided: deque[_Drafts] = deque()
    while True:
        new = islice(waiting, batch_size - len(undecided))
        undecided.extend(_Drafts(seed, tweet_filter, max_drafts) for seed in new)
        if not undecided:
            return
        _sample_batch(sample, undecided, batch_size)
        while undecided and (choice := undecided[0].choice) is not None:
            undecided.popleft()
            yield choice


def _sample_batch(sample: SampleDrafts, tweets: Iterable[_Drafts], batch_size: int) -> None:
    """Sample and judge one batch of drafts of the undecided among these tweets, at least one."""
    planned: list[tuple[_Drafts, list[int]]] = []
    num_free = batch_size
    for tweet in tweets:
        if tweet.choice is None and num_free:
            planned.append((tweet, tweet.next_seeds(num_free)))
            num_free -= len(planned[-1][1])
    drafts = iter(sample([seed for _, seeds in planned for seed in seeds]))
    for tweet, seeds in planned:
        tweet.judge(list(islice(drafts, len(seeds))))
