"""Writing tweets in turns: the tutorial's `sample_sequence` beside ours, one tweet and many, from the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from engine.bench.training import OURS, TUTORIAL, Shape, named, thread_counts
from engine.bench.turns import Clock, Contender, Rates, alternate, fastest, median_rate, median_ratio, spread, warm_up
from engine.bench.tutorial_loop import TutorialGenerator, sample_sequence
from engine.config.run import SamplingConfig
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.sampling.sampler import sample_tweets

MANY = 256
CHARS_PER_TURN = 140
"""Single tweets follow one another until so many characters are drawn: one alone may be a word."""


@dataclass(frozen=True, kw_only=True)
class SampleFigures:
    """How fast one way to write is."""

    embedding_size: int
    hidden_size: int
    num_tweets: int
    """Written at once."""
    path: str
    chars_per_second: float
    """Drawn, the end-of-tweet symbols included."""
    ratio_to_tutorial: float
    spread: float


def measure_sampling(
    shape: Shape,
    models: tuple[TextGenerator, TutorialGenerator],
    vocab: Vocab,
    seconds: float,
    on_turn: Callable[[str], None],
    clock: Clock,
    end: float,
) -> list[SampleFigures]:
    """Return the figures of everyone; of two models with the same weights, the second is the tutorial's.

    Raises `TimeUpError` where one round of everyone does not end before `end`.
    """
    began = clock()
    contenders = _contenders(models, vocab)
    warm_up(contenders, 0, clock, on_turn, end)
    return sample_figures(shape, alternate(contenders, seconds - (clock() - began), clock, on_turn, end))


def _contenders(models: tuple[TextGenerator, TutorialGenerator], vocab: Vocab) -> list[Contender]:
    """Return everyone; a name begins with how many tweets are written at once."""
    ours, tutorial = models
    for model in models:
        model.eval()
    sampling = SamplingConfig()

    def by_tutorial(_: int) -> int:
        return _long_enough(lambda _: sample_sequence(tutorial, vocab, sampling.max_length, sampling.temperature)[1])

    def one(number: int) -> int:
        first = number * CHARS_PER_TURN
        return _long_enough(lambda index: _written(ours, vocab, sampling, range(first + index, first + index + 1)))

    def many(number: int) -> int:
        return _written(ours, vocab, sampling, range(number * MANY, (number + 1) * MANY))

    ways = {f"1 {TUTORIAL}": by_tutorial, f"1 {OURS}": one, f"{MANY} {OURS}": many}
    return [
        Contender(named(name, threads, ours.device), _at_threads(threads, way))
        for threads in thread_counts(ours.device)
        for name, way in ways.items()
    ]


def _at_threads(num_threads: int, way: Callable[[int], int]) -> Callable[[int], int]:
    """Return what writes at that number of threads."""

    def take_turn(number: int) -> int:
        torch.set_num_threads(num_threads)
        return way(number)

    return take_turn


def sample_figures(shape: Shape, rates: Rates) -> list[SampleFigures]:
    """Return what the rounds say of everyone."""
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


def _long_enough(write: Callable[[int], int]) -> int:
    """Write tweet after tweet, `write` taking the index of each. Returns how many characters were drawn."""
    num_chars = index = 0
    while num_chars < CHARS_PER_TURN:
        num_chars += write(index)
        index += 1
    return num_chars


def _written(model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, seeds: range) -> int:
    """Write tweets. Returns how many characters were drawn."""
    tweets = sample_tweets(model, vocab, sampling, seeds)
    return sum(len(tweet.text) + tweet.reached_eos for tweet in tweets)
