"""Speed of sampling: the tutorial's `sample_sequence` and ours, one tweet and many, with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from engine.bench.interleaved import (
    Clock,
    Rates,
    Variant,
    fastest,
    median_rate,
    median_ratio,
    run_interleaved,
    spread,
    warm_up,
)
from engine.bench.train_figures import OURS, TUTORIAL, Shape
from engine.bench.training import compared_thread_counts, named
from engine.bench.tutorial_loop import TutorialGenerator, sample_sequence
from engine.config.sampling import SamplingConfig
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.sampling.sampler import sample_tweets

MANY = 256
CHARS_PER_TRIAL = 140
"""A trial samples single tweets until this many characters are drawn, as one tweet may be a single word."""


@dataclass(frozen=True, kw_only=True)
class SampleFigures:
    """Speed of one variant."""

    embedding_size: int
    hidden_size: int
    num_tweets: int
    """Tweets per batch."""
    path: str
    chars_per_second: float
    """Characters drawn, `<EOS>` included."""
    ratio_to_tutorial: float
    spread: float


def measure_sampling(
    shape: Shape,
    models: tuple[TextGenerator, TutorialGenerator],
    vocab: Vocab,
    seconds: float,
    on_trial: Callable[[str], None],
    clock: Clock,
    end: float,
) -> list[SampleFigures]:
    """Measure all variants; `models` have the same weights, the second is the tutorial's.

    Raises `TimeUpError` if one round does not fit before `end`.
    """
    began = clock()
    variants = _variants(models, vocab)
    warm_up(variants, 0, clock, on_trial, end)
    return sample_figures(shape, run_interleaved(variants, seconds - (clock() - began), clock, on_trial, end))


def _variants(models: tuple[TextGenerator, TutorialGenerator], vocab: Vocab) -> list[Variant]:
    """Return all variants; a name starts with the number of tweets per batch."""
    ours, tutorial = models
    for model in models:
        model.eval()
    config = SamplingConfig()

    def by_tutorial(_: int) -> int:
        return _sample_at_least(lambda _: sample_sequence(tutorial, vocab, config.max_length, config.temperature)[1])

    def one(number: int) -> int:
        first = number * CHARS_PER_TRIAL
        return _sample_at_least(
            lambda index: _sample_chars(ours, vocab, config, range(first + index, first + index + 1))
        )

    def many(number: int) -> int:
        return _sample_chars(ours, vocab, config, range(number * MANY, (number + 1) * MANY))

    functions = {f"1 {TUTORIAL}": by_tutorial, f"1 {OURS}": one, f"{MANY} {OURS}": many}
    return [
        Variant(named(name, threads, ours.device), _at_threads(threads, function))
        for threads in compared_thread_counts(ours.device)
        for name, function in functions.items()
    ]


def _at_threads(num_threads: int, function: Callable[[int], int]) -> Callable[[int], int]:
    """Return `function` at that number of threads."""

    def run_trial(number: int) -> int:
        torch.set_num_threads(num_threads)
        return function(number)

    return run_trial


def sample_figures(shape: Shape, rates: Rates) -> list[SampleFigures]:
    """Compute the figures of each variant from its rates."""
    tutorial = fastest(rates, f"1 {TUTORIAL}")
    return [
        SampleFigures(
            embedding_size=shape.embedding_size,
            hidden_size=shape.hidden_size,
            num_tweets=int(name.partition(" ")[0]),
            path=name.partition(" ")[2],
            chars_per_second=round(median_rate(own), 1),
            ratio_to_tutorial=round(median_ratio(own, tutorial), 3),
            spread=round(spread(own), 3),
        )
        for name, own in rates.items()
    ]


def _sample_at_least(sample_one: Callable[[int], int]) -> int:
    """Call `sample_one` with 0, 1, ... until its results, numbers of characters, add up to `CHARS_PER_TRIAL`."""
    num_chars = index = 0
    while num_chars < CHARS_PER_TRIAL:
        num_chars += sample_one(index)
        index += 1
    return num_chars


def _sample_chars(model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, seeds: range) -> int:
    """Sample tweets; return the number of characters drawn."""
    tweets = sample_tweets(model, vocab, sampling, seeds)
    return sum(len(tweet.text) + tweet.reached_eos for tweet in tweets)
