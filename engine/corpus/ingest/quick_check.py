"""Whether a corpus could be loaded, as far as a glance at its files tells: before a screen opens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.corpus import CorpusConfig
from engine.corpus.ingest.cleaning import Cleaner, duplicate_key
from engine.corpus.ingest.collection import Tally, tallied_rows
from engine.corpus.loading import MIN_TWEETS, load_corpus
from engine.corpus.report import SourceReport
from engine.corpus.types import Unusable
from engine.protocol.stage import no_progress

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
    glance, num_different = _first_rows(config)
    if glance.is_whole and num_different < MIN_TWEETS:
        load_corpus(config)  # all was read already: it is small, and this tells what is wrong with it
    return glance


def _first_rows(config: CorpusConfig) -> tuple[Glance, int]:
    """Read until there are enough tweets or the time is over; return also how many of them differ."""
    deadline = time.monotonic() + MAX_SECONDS
    tallies: list[Tally] = []
    keys: set[str] = set()
    first_tweet = ""
    is_whole = True
    for number, (tally, tweet) in enumerate(_cleaned(config, tallies), start=1):
        if isinstance(tweet, Unusable):
            tally.drop(tweet)
        else:
            tally.num_kept += 1
            first_tweet = first_tweet or tweet
            keys.add(duplicate_key(tweet))
        if len(keys) >= _ENOUGH_TWEETS or (number % _ROWS_PER_LOOK == 0 and time.monotonic() > deadline):
            is_whole = False
            break
    sources = tuple(tally.report() for tally in tallies)
    return Glance(sources=sources, first_tweet=first_tweet, is_whole=is_whole), len(keys)


def _cleaned(config: CorpusConfig, tallies: list[Tally]) -> Iterator[tuple[Tally, str | Unusable]]:
    """Yield the tweets of all sources; the tallies of those that were begun are added to `tallies`."""
    for tally, rows in tallied_rows(config, no_progress):
        tallies.append(tally)
        cleaner = Cleaner(config)
        for row in rows:
            yield tally, cleaner(row)
