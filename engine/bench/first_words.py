"""How soon a run's tweets become readable: the share of known words in them, by the seconds since the command.

A run is started as a user would start it, in a process of its own, and checkpoints of its weights are saved at fixed
moments. Tweets are sampled from them afterwards, with the run's own settings, so that the run is not disturbed. That
process belongs to the caller; this module samples, counts and summarizes.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from engine.checkpoints.metadata import read_info
from engine.config.run import RuntimeConfig
from engine.corpus.loading import load_corpus
from engine.sampling.generation import Generator
from engine.sampling.quality import evenly_spaced, unknown_words_in, words_of

MOMENTS = (2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 20.0, 25.0, 30.0, 45.0, 60.0)
"""Seconds from the command to each checkpoint."""
NUM_TWEETS = 200
"""Sampled from each checkpoint: some 2,000 words, so that the standard error of a share is about 0.01."""
THRESHOLDS = (0.5, 0.8)
"""Shares of known words whose times are reported."""


@dataclass(frozen=True, kw_only=True)
class WatchedRun:
    """What a run of the program left behind."""

    first_step_seconds: float
    """From the command to the report of the first step."""
    checkpoints: Mapping[float, Path | None]
    """By moment; None before the first step. The last one is there."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The tweets of all rounds at one moment."""

    seconds: float
    """Since the command."""
    known_word_share: float
    """Share of words that occur in the training tweets; median of the rounds. 0 before the first step."""
    least: float
    most: float
    """Smallest and largest share of any round."""
    step: int
    """Median of the rounds."""


@dataclass(frozen=True, kw_only=True)
class FirstWordsReport:
    """How soon the tweets of a run become readable; medians of the rounds."""

    corpus: str
    hidden_size: int
    num_layers: int
    precision: str
    num_threads: int
    """Model and computation of the first round."""
    num_rounds: int
    num_tweets: int
    """Sampled at each moment of each round."""
    first_step_seconds: float
    seconds_to_half: float | None
    """Until half of the words are known, interpolated between the moments; None if that was not reached."""
    seconds_to_four_fifths: float | None
    moments: tuple[Moment, ...]
    real_share: float
    """Share of known words in as many held-out tweets."""


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """The tweets of one checkpoint."""

    step: int
    tweets: Sequence[str]


def first_words(rounds: Sequence[WatchedRun], runtime: RuntimeConfig) -> FirstWordsReport:
    """Sample from the checkpoints of at least one round, and find the words that occur in the training tweets.

    Raises `CheckpointError`, `CorpusError` and `DeviceError`.
    """
    *_, last = rounds[0].checkpoints.values()
    assert last is not None  # noqa: S101 - for mypy
    info = read_info(last)[0]
    corpus = load_corpus(info.corpus)
    sampled = [_sample_all(run, runtime, seed=NUM_TWEETS * number) for number, run in enumerate(rounds)]
    real = evenly_spaced(corpus.validation, NUM_TWEETS)
    texts = [text for own in sampled for sample in own.values() for text in sample.tweets]
    unknown_words = unknown_words_in(corpus.train, [*texts, *real])
    shares = [{moment: known_share(sample.tweets, unknown_words) for moment, sample in own.items()} for own in sampled]
    half, four_fifths = (median_time([time_to(share, list(own.items())) for own in shares]) for share in THRESHOLDS)
    return FirstWordsReport(
        corpus=corpus.name,
        hidden_size=info.model.hidden_size,
        num_layers=info.model.num_layers,
        precision=info.precision,
        num_threads=info.num_threads,
        num_rounds=len(rounds),
        num_tweets=NUM_TWEETS,
        first_step_seconds=statistics.median(run.first_step_seconds for run in rounds),
        seconds_to_half=half,
        seconds_to_four_fifths=four_fifths,
        moments=tuple(
            _moment(moment, [own[moment] for own in shares], [own[moment].step for own in sampled])
            for moment in rounds[0].checkpoints
        ),
        real_share=known_share(real, unknown_words),
    )


def _sample_all(run: WatchedRun, runtime: RuntimeConfig, seed: int) -> dict[float, _Sample]:
    """Sample tweets at each moment, as the feed of the run does; none before the first step."""
    samples = {}
    for moment, path in run.checkpoints.items():
        if path is None:
            samples[moment] = _Sample(step=0, tweets=())
            continue
        generator = Generator(path, runtime)
        tweets = generator.generate(NUM_TWEETS, generator.sampling_config({}), seed)
        samples[moment] = _Sample(step=generator.info.step, tweets=tuple(tweet.text for tweet in tweets))
    return samples


def known_share(tweets: Sequence[str], unknown_words: Collection[str]) -> float:
    """Return the share of the words of `tweets` that are not in `unknown_words`; 0 without words."""
    words = [word for tweet in tweets for word in words_of(tweet)]
    return sum(word not in unknown_words for word in words) / len(words) if words else 0.0


def _moment(seconds: float, shares: Sequence[float], steps: Sequence[int]) -> Moment:
    """Summarize the rounds at one moment."""
    return Moment(
        seconds=seconds,
        known_word_share=statistics.median(shares),
        least=min(shares),
        most=max(shares),
        step=round(statistics.median(steps)),
    )


def time_to(share: float, curve: Sequence[tuple[float, float]]) -> float | None:
    """Return from when on a curve of (seconds, share), which begins at (0, 0), has at least `share`; None if not.

    Linear between its points. Not when it first has: the letters of an untrained model are words, too, if alone.
    """
    reached = None
    for (before, low), (after, high) in pairwise([(0.0, 0.0), *curve]):
        if high < share:
            reached = None
        elif low < share:
            reached = before + (after - before) * (share - low) / (high - low)
    return reached


def median_time(times: Sequence[float | None]) -> float | None:
    """Return the median of the times, where None is later than any; None if the median is."""
    reached = sorted(time for time in times if time is not None)
    known = reached + [None] * (len(times) - len(reached))
    low, high = known[(len(known) - 1) // 2], known[len(known) // 2]
    return None if low is None or high is None else (low + high) / 2
