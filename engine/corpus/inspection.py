"""Statistics of a corpus, for `tweetgen-tui data inspect`. Never formats anything."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.config.corpus import CorpusConfig
from engine.corpus.cleaning import LINK, MENTION
from engine.corpus.corpus import Corpus, load_corpus
from engine.corpus.ingest.unicode_scripts import count_scripts
from engine.corpus.leakage import leak_share
from engine.corpus.report import CorpusReport
from engine.progress import OnProgress, no_progress, part_of

NUM_BARS = 14
"""Most bars in the histogram of lengths."""
NUM_SAMPLES = 10
_LOADED_SHARE = 0.8
"""Share of the total time that loading takes; computing the statistics takes the rest."""
_HASHTAG = re.compile(r"#\w+")


@dataclass(frozen=True, kw_only=True)
class LengthBar:
    """A bar of the histogram: the number of tweets with `first` to `last` characters."""

    first: int
    last: int
    num_tweets: int


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The statistics of a corpus."""

    name: str
    report: CorpusReport
    num_train_tweets: int
    num_val_tweets: int
    num_chars: int
    """Characters of all kept tweets."""
    char_counts: dict[str, int]
    """The count of each character, the most frequent first."""
    lengths: tuple[LengthBar, ...]
    mean_length: float
    num_mentions: int
    """Tweets with at least one @name; links and hashtags likewise."""
    num_links: int
    num_hashtags: int
    scripts: dict[str, int]
    """Number of letters of each script, and of symbols, the most frequent first."""
    shared_run_share: float
    """Share of the validation tweets, 0 to 1, with 30 characters in a row from a training tweet (`leak_share`)."""
    samples: tuple[str, ...]
    seconds: float
    """Time to read the corpus, or to load it from the cache."""
    peak_bytes: int
    """Growth of the process's peak memory while loading, in bytes."""
    was_cached: bool

    @property
    def rare_chars(self) -> list[str]:
        """Characters that occur once."""
        return [char for char, count in self.char_counts.items() if count == 1]


def inspect(
    config: CorpusConfig,
    read_peak_bytes: Callable[[], int],
    on_progress: OnProgress = no_progress,
    *,
    use_cache: bool = True,
    store: bool = True,
) -> Inspection:
    """Load a corpus and compute its statistics; `read_peak_bytes` returns the peak memory. Raises `CorpusError`.

    `use_cache` and `store` are those of `load_corpus`.
    """
    started, peak_before = time.monotonic(), read_peak_bytes()
    corpus = load_corpus(config, part_of(on_progress, 0.0, _LOADED_SHARE), use_cache=use_cache, store=store)
    seconds, more_bytes = time.monotonic() - started, read_peak_bytes() - peak_before
    counts = Counter(corpus.char_counts)
    counts.update(corpus.validation.char_counts())
    lengths = np.concatenate([corpus.train.char_lengths(), corpus.validation.char_lengths()])
    mentions, links, hashtags = _with_marks(corpus)
    return Inspection(
        name=corpus.name,
        report=corpus.report,
        num_train_tweets=len(corpus.train),
        num_val_tweets=len(corpus.validation),
        num_chars=counts.total(),
        char_counts=dict(counts.most_common()),
        lengths=_bars(lengths),
        mean_length=float(lengths.mean()),
        num_mentions=mentions,
        num_links=links,
        num_hashtags=hashtags,
        scripts=count_scripts(counts),
        shared_run_share=leak_share(corpus.train, corpus.validation, part_of(on_progress, _LOADED_SHARE, 1.0)),
        samples=_samples(corpus),
        seconds=seconds,
        peak_bytes=more_bytes,
        was_cached=corpus.was_cached,
    )


def _bars(lengths: np.typing.NDArray[np.int64]) -> tuple[LengthBar, ...]:
    """Return the histogram of lengths, (tweets,), with bars of equal round width."""
    width = _round_width(-(-int(lengths.max()) // NUM_BARS))
    counts = np.bincount((lengths - 1) // width, minlength=1)
    return tuple(
        LengthBar(first=number * width + 1, last=(number + 1) * width, num_tweets=int(count))
        for number, count in enumerate(counts)
    )


def _round_width(width: int) -> int:
    """Round up to the next of 1, 2, 5, 10, 20, 50, ..."""
    power = int(10 ** (len(str(width)) - 1))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= width)


def _with_marks(corpus: Corpus) -> tuple[int, int, int]:
    """Return the number of tweets with an @name, with a link, and with a hashtag."""
    mentions = links = hashtags = 0
    for tweets in (corpus.train, corpus.validation):
        for tweet in tweets:
            mentions += "@" in tweet and MENTION.search(tweet) is not None
            links += LINK.search(tweet) is not None
            hashtags += "#" in tweet and _HASHTAG.search(tweet) is not None
    return mentions, links, hashtags


def _samples(corpus: Corpus) -> tuple[str, ...]:
    """Return a random sample of the tweets with a fixed seed."""
    generator = np.random.Generator(np.random.PCG64(0))
    num_train, num_tweets = len(corpus.train), corpus.report.num_kept
    drawn = generator.choice(num_tweets, min(NUM_SAMPLES, num_tweets), replace=False).tolist()
    return tuple(corpus.train[index] if index < num_train else corpus.validation[index - num_train] for index in drawn)
