"""Whether a corpus could be loaded, as far as a glance at its files tells: before a screen opens."""

from __future__ import annotations

import time
from dataclasses import dataclass

from engine.corpus.cleaning import Cleaner, duplicate_key
from engine.corpus.collection import Tally, no_progress, tallied_rows
from engine.corpus.loading import MIN_TWEETS, load_corpus
from engine.corpus.report import SourceReport
from engine.corpus.rows import Unusable
from engine.corpus_config import CorpusConfig

MAX_SECONDS = 0.5
_ENOUGH_TWEETS = 10 * MIN_TWEETS
_ROWS_PER_LOOK = 256


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What the first rows of a corpus tell."""

    sources: tuple[SourceReport, ...] = ()
    """Those that were looked at, in their order; counts and notes are of what was read. Duplicates count as kept."""
    first_tweet: str = ""
    is_whole: bool = False
    """Whether all rows of all sources were read."""


class _Look:
    """Reads until it has seen enough, or its time is over."""

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        self._deadline = time.monotonic() + MAX_SECONDS
        self._num_rows = 0
        self._keys: set[str] = set()
        self._tallies: list[Tally] = []
        self._first_tweet = ""
        self.has_ended_early = False

    @property
    def has_too_few(self) -> bool:
        """Whether all was read, and too few tweets differ."""
        return not self.has_ended_early and len(self._keys) < MIN_TWEETS

    def read(self) -> Glance:
        """Read. Raises `CorpusError`."""
        for tally, rows in tallied_rows(self._config, no_progress):
            self._tallies.append(tally)
            cleaner = Cleaner(self._config)
            for row in rows:
                self._take(cleaner(row), tally)
                if self._is_enough():
                    self.has_ended_early = True
                    return self._glance()
        return self._glance()

    def _take(self, tweet: str | Unusable, tally: Tally) -> None:
        self._num_rows += 1
        if isinstance(tweet, Unusable):
            tally.drop(tweet)
            return
        tally.num_kept += 1
        self._first_tweet = self._first_tweet or tweet
        self._keys.add(duplicate_key(tweet))

    def _is_enough(self) -> bool:
        if len(self._keys) >= _ENOUGH_TWEETS:
            return True
        return self._num_rows % _ROWS_PER_LOOK == 0 and time.monotonic() > self._deadline

    def _glance(self) -> Glance:
        sources = tuple(tally.report() for tally in self._tallies)
        return Glance(sources=sources, first_tweet=self._first_tweet, is_whole=not self.has_ended_early)


def check_corpus(config: CorpusConfig) -> Glance:
    """Raise the `CorpusError` that `load_corpus` would, as far as the first tweets of each file show it.

    Returns what they show; no source of the embedded corpus or where one row is asked for. Takes about `MAX_SECONDS`
    however large the files are: what can't be known by then is left to `load_corpus`.
    """
    if config.overfit is not None:
        load_corpus(config)
        return Glance()
    if not config.files:
        return Glance()
    look = _Look(config)
    glance = look.read()
    if look.has_too_few:
        load_corpus(config)  # all was read already: it is small, and this tells what is wrong with it
    return glance
