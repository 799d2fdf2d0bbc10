"""Checks a corpus before the screen opens, by its first rows and within a time limit."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine.config.corpus import CorpusConfig
from engine.corpus.cleaning import Cleaner, duplicate_key
from engine.corpus.ingest.collection import rows_by_source
from engine.corpus.ingest.source_counts import SourceCounts
from engine.corpus.loading import MIN_TWEETS, load_corpus
from engine.corpus.readers.reader import DroppedRow
from engine.corpus.report import CorpusPreview
from engine.progress import no_progress

MAX_SECONDS = 0.5
_ENOUGH_TWEETS = 10 * MIN_TWEETS
_ROWS_PER_LOOK = 256


def check_corpus(config: CorpusConfig) -> CorpusPreview:
    """Return a preview of the corpus, or raise the `CorpusError` of `load_corpus` as far as the first rows show it.

    Takes about `MAX_SECONDS` for files of any size; later errors are left to `load_corpus`. The preview is empty for
    a single row (`config.overfit`).
    """
    if config.overfit is not None:
        load_corpus(config)
        return CorpusPreview()
    preview, num_different = _first_rows(config)
    if preview.is_whole and num_different < MIN_TWEETS:
        load_corpus(config)  # a small corpus that was read completely: raises the error with its reasons
    return preview


def _first_rows(config: CorpusConfig) -> tuple[CorpusPreview, int]:
    """Read until there are enough tweets or the time is up; return also the number of distinct tweets."""
    deadline = time.monotonic() + MAX_SECONDS
    sources: list[SourceCounts] = []
    samples: list[list[str]] = []
    keys: set[str] = set()
    first_tweet = ""
    is_whole = True
    for number, (counts, tweet) in enumerate(_cleaned(config, sources), start=1):
        if isinstance(tweet, DroppedRow):
            counts.drop(tweet)
        else:
            counts.num_kept += 1
            first_tweet = first_tweet or tweet
            samples += [[] for _ in sources[len(samples) :]]
            samples[-1].append(tweet)
            keys.add(duplicate_key(tweet))
        if len(keys) >= _ENOUGH_TWEETS or (number % _ROWS_PER_LOOK == 0 and time.monotonic() > deadline):
            is_whole = False
            break
    if config.format == "auto":
        for counts, sample in zip(sources, samples, strict=False):
            counts.check_text(sample)
    reports = tuple(counts.report() for counts in sources)
    return CorpusPreview(sources=reports, first_tweet=first_tweet, is_whole=is_whole), len(keys)


def _cleaned(config: CorpusConfig, sources: list[SourceCounts]) -> Iterator[tuple[SourceCounts, str | DroppedRow]]:
    """Yield the cleaned rows of all sources; append the counts of each source to `sources` when it is opened."""
    for counts, rows in rows_by_source(config, no_progress):
        sources.append(counts)
        cleaner = Cleaner(config)
        for row in rows:
            yield counts, cleaner(row)
