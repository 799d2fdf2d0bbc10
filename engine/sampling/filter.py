"""Which tweets are wanted: `TweetFilter`, and `draft_tweets`, which samples until a draft passes it.

A draft is a whole sampled tweet. For each tweet, drafts are sampled until one passes the filter, or else the one that
comes nearest is returned. The first draft of a tweet has the tweet's own seed, the others have seeds derived from it,
and drafts are judged in the order of their numbers. So the choice does not depend on how many are sampled at once, up
to the rounding that `engine.sampling.sampler` names: drafts sampled beyond the last one needed count nowhere.

A filter that no draft can pass is an error (`require_samplable`, `SamplingConfig.require_satisfiable`).
"""

from __future__ import annotations

import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import get_args

from engine.compute.device import Draw, derived_seed
from engine.config.sampling import SamplingConfig
from engine.corpus.hashing import novelty_of
from engine.errors import VocabError
from engine.model.vocab import Vocab, named_chars
from engine.protocol.events import RefusalReason
from engine.sampling.sampler import SampledTweet
from engine.text import comparable, has_word, sanitize_line


class TweetFilter:
    """The filter of one `SamplingConfig`."""

    def __init__(self, sampling: SamplingConfig, copied_share: Callable[[str], float] | None) -> None:
        """`copied_share`, of a `NoveltyIndex`, may be None unless `sampling.only_new`."""
        self.sampling = sampling
        self._copied_share = copied_share if sampling.only_new else None
        self._avoided = tuple(dict.fromkeys(map(comparable, sampling.avoid)))
        self._required = comparable(sampling.must_contain)

    def reasons(self, draft: SampledTweet) -> tuple[RefusalReason, ...]:
        """Return the reasons against a draft, in the order of `RefusalReason`; () if it passes."""
        if not self.sampling.has_filter:
            return ()
        text = comparable(sanitize_line(draft.text))
        novelty = "new" if self._copied_share is None else novelty_of(self._copied_share(draft.text))
        claims: dict[RefusalReason, bool] = {
            "copy": novelty == "copy",
            "near-copy": novelty == "near-copy",
            "avoided word": any(has_word(text, word) for word in self._avoided),
            "required text missing": self._required not in text,
            "too short": len(draft.text) < self.sampling.min_length,
            "unfinished": not draft.reached_eos,
        }
        return tuple(reason for reason, is_true in claims.items() if is_true)


def require_samplable(sampling: SamplingConfig, vocab: Vocab) -> None:
    """Raise `VocabError` where the vocabulary lacks a character of the prime, or one without which no draft passes.

    A required character may come from another one that is equal without case, or from its letter and marks.
    """
    vocab.encode_strict(sampling.prime)
    known = {part for char in vocab.chars for part in comparable(char)}
    missing = [
        char
        for char in dict.fromkeys(comparable(sampling.must_contain))
        if char not in known and not known.issuperset(unicodedata.normalize("NFD", char))
    ]
    if missing:
        raise VocabError(
            f"No tweet can contain “{sampling.must_contain}”: the vocabulary lacks {named_chars(missing)}.",
            "Change --must-contain, or leave it out.",
        )


MAX_BATCH_SIZE = 256
"""Drafts sampled at once at most."""
MAX_BATCH_CHARS = 1_000_000
"""Characters of the drafts sampled at once at most, at their maximum length: a character takes 20 bytes meanwhile."""
_REASONS: tuple[RefusalReason, ...] = get_args(RefusalReason)


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
        self._num_missing = tweet_filter.sampling.best_of
        """How many more drafts have to pass the filter."""
        self._refused: Counter[RefusalReason] = Counter()
        self._nearest: tuple[tuple[int, float], SampledTweet, tuple[RefusalReason, ...]] | None = None
        """The nearest draft so far, after its distance and before the reasons against it."""

    def next_seeds(self, max_count: int) -> list[int]:
        """Return the seeds of the drafts to sample next: as many as are missing, or as were judged already."""
        first = self._num_judged
        count = min(max(self._num_missing, first), self._max_drafts - first, max_count)
        numbers = range(first, first + count)
        return [derived_seed(self._seed, Draw.DRAFT, number) if number else self._seed for number in numbers]

    def judge(self, draft: SampledTweet) -> None:
        """Judge the next draft, in the order of their seeds, if it is needed."""
        if self.choice is not None:
            return
        reasons = self._filter.reasons(draft)
        distance = len(reasons), draft.bits_per_char
        if self._nearest is None or distance < self._nearest[0]:
            self._nearest = distance, draft, reasons
        self._num_judged += 1
        self._num_missing -= not reasons
        self._refused.update(reasons[:1])
        if self._num_missing == 0 or self._num_judged == self._max_drafts:
            self.choice = ChosenDraft(
                draft=self._nearest[1],
                seed=self._seed,
                num_drafts=self._num_judged,
                refused=tuple((reason, self._refused[reason]) for reason in _REASONS if reason in self._refused),
                unmet=self._nearest[2],
            )


def draft_tweets(
    sample: Callable[[Sequence[int]], list[SampledTweet]],
    tweet_filter: TweetFilter,
    seeds: Iterable[int],
    max_drafts: int,
) -> Iterator[ChosenDraft]:
    """Yield a tweet per seed, in order, of at most `max_drafts` drafts each, of one if sampling is greedy.

    `sample` samples one draft per seed. A batch has as many drafts of the first undecided tweets as fit: of each at
    first those that are needed at least, then as many again as were judged, so at most about half of them are sampled
    in vain.
    """
    batch_size = max(1, min(MAX_BATCH_SIZE, MAX_BATCH_CHARS // tweet_filter.sampling.max_length))
    if tweet_filter.sampling.temperature == 0:
        max_drafts = 1
    tweets = (_Drafts(seed, tweet_filter, max_drafts) for seed in seeds)
    waiting: deque[_Drafts] = deque()  # from the first undecided one on, in order
    while True:
        waiting.extend(islice(tweets, batch_size - len(waiting)))
        if not waiting:
            return
        planned: list[tuple[_Drafts, int]] = []
        for tweet in waiting:
            if tweet.choice is None:
                planned += [(tweet, seed) for seed in tweet.next_seeds(batch_size - len(planned))]
        for (tweet, _), draft in zip(planned, sample([seed for _, seed in planned]), strict=True):
            tweet.judge(draft)
        while waiting and (choice := waiting[0].choice) is not None:
            waiting.popleft()
            yield choice
