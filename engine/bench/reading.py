"""Reading a corpus: from its files, and from the cache where it was read before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.bench.turns import Clock, Contender, alternate, median_rate, spread
from engine.config.corpus import CorpusConfig
from engine.corpus.corpus import Corpus
from engine.corpus.loading import load_corpus

FRESH, CACHED = "fresh", "cached"


@dataclass(frozen=True, kw_only=True)
class ReadFigures:
    """How fast a corpus is there."""

    path: str
    tweets_per_second: float
    """Those that are kept, whether learnt from or held out."""
    spread: float


def measure_reading(
    config: CorpusConfig, seconds: float, on_turn: Callable[[str], None], clock: Clock
) -> list[ReadFigures]:
    """Return the figures of both ways; only the first where no cache can be written."""

    def fresh(_: int) -> int:
        return _num_tweets(load_corpus(config, use_cache=False))

    def cached(_: int) -> int:
        return _num_tweets(load_corpus(config))

    began = clock()
    load_corpus(config)
    contenders = [Contender(FRESH, fresh)]
    if load_corpus(config).was_cached:
        contenders.append(Contender(CACHED, cached))
    rates = alternate(contenders, seconds - (clock() - began), clock, on_turn)
    return [
        ReadFigures(path=name, tweets_per_second=round(median_rate(own), 1), spread=round(spread(own), 3))
        for name, own in rates.items()
    ]


def _num_tweets(corpus: Corpus) -> int:
    """Return how many tweets a corpus holds."""
    return len(corpus.train) + len(corpus.validation)
