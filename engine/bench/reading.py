"""Speed of reading a corpus, from its files and from the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.bench.interleaved import Clock, Variant, median_rate, run_interleaved, spread
from engine.config.corpus import CorpusConfig
from engine.corpus.corpus import Corpus
from engine.corpus.loading import load_corpus

FRESH, CACHED = "fresh", "cached"


@dataclass(frozen=True, kw_only=True)
class ReadFigures:
    """Speed of one way to read."""

    path: str
    tweets_per_second: float
    """Tweets after cleaning, training and validation."""
    spread: float


def measure_reading(
    config: CorpusConfig, seconds: float, on_trial: Callable[[str], None], clock: Clock
) -> list[ReadFigures]:
    """Measure both ways, or only the files if no cache can be written."""

    def fresh(_: int) -> int:
        return _num_tweets(load_corpus(config, use_cache=False))

    def cached(_: int) -> int:
        return _num_tweets(load_corpus(config))

    began = clock()
    load_corpus(config)
    variants = [Variant(FRESH, fresh)]
    if load_corpus(config).was_cached:
        variants.append(Variant(CACHED, cached))
    rates = run_interleaved(variants, seconds - (clock() - began), clock, on_trial)
    return [
        ReadFigures(path=name, tweets_per_second=round(median_rate(own), 1), spread=round(spread(own), 3))
        for name, own in rates.items()
    ]


def _num_tweets(corpus: Corpus) -> int:
    """Return how many tweets a corpus holds."""
    return len(corpus.train) + len(corpus.validation)
