"""Tweets that the model samples while one of its hidden units is held at a value.

As Radford, Jozefowicz and Sutskever (2017, arXiv:1704.01444) set the unit that tracks sentiment. The predictions along
a text are those of a `trace` with the same unit held.
"""

from __future__ import annotations

from dataclasses import replace

from engine.compute.stepper import HeldUnit
from engine.config.sampling import SamplingConfig
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.progress import Pieces
from engine.protocol.insight import MAX_TRACED_CHARS
from engine.sampling.sampler import SampledTweet, TweetSampler

NUM_TWEETS = 4


def sample_held(
    model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, seed: int, held: HeldUnit | None
) -> Pieces[list[SampledTweet]]:
    """Return `NUM_TWEETS` tweets from the seeds `seed`, `seed` + 1 and so on, of at most `MAX_TRACED_CHARS` characters.

    They have no prime, as the unit is held from `<BOS>` on, and no filter. Raises `DivergedError` if the
    model's output is not finite.
    """
    max_length = min(sampling.max_length, MAX_TRACED_CHARS)
    sampling = replace(sampling.without_filter(), prime="", max_length=max_length)
    seeds = range(seed, seed + NUM_TWEETS)
    sampler = TweetSampler(model, vocab, sampling, seeds, may_compile=False, held=held)
    while not sampler.is_done:
        sampler.advance()
        yield
    return sampler.results()
