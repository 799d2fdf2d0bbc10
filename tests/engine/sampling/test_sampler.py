"""Whole tweets: they depend on their seed alone, begin with the prime, end at `<EOS>`, and obey at once."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.config.run import LADDER_TEMPERATURES, SamplingConfig
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, Vocab
from engine.sampling.logits import NEVER_SAMPLED
from engine.sampling.sampler import SampledTweet, TweetSampler, sample_tweets
from tests.engine.helpers import small_tweets
from tests.strategies import sampling_configs

VOCAB = Vocab.from_tweets(small_tweets())


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    """Return a model whose random weights are large enough that it has preferences."""
    torch.manual_seed(21)
    model = TextGenerator(len(VOCAB), 8, 16, num_layers=2, dropout=0.4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
        model.proj.bias[EOS] -= 1.0
    return model


def write(model: TextGenerator, sampling: SamplingConfig, seed: int = 0) -> SampledTweet:
    [tweet] = sample_tweets(model, VOCAB, sampling, [seed])
    return tweet


def test_a_tweet_does_not_depend_on_the_others_in_its_batch(model: TextGenerator) -> None:
    together = sample_tweets(model, VOCAB, SamplingConfig(max_length=40), range(12))

    assert len({len(tweet.text) for tweet in together}) > 3
    assert [tweet.seed for tweet in together] == list(range(12))
    for tweet in together:
        alone = write(model, SamplingConfig(max_length=40), tweet.seed)
        assert (alone.text, alone.reached_eos) == (tweet.text, tweet.reached_eos)
        assert alone.bits_per_char == pytest.approx(tweet.bits_per_char, rel=1e-4)


def test_greedy_is_the_likeliest_at_every_step_of_a_reading_from_the_start(model: TextGenerator) -> None:
    tweet = write(model, SamplingConfig(temperature=0.0, max_length=30))

    token_ids = VOCAB.encode(tweet.text)
    with torch.no_grad():
        logits = model.eval()(torch.tensor([[BOS, *token_ids]]))[0][0]
    logits[:, list(NEVER_SAMPLED)] = -torch.inf
    assert logits.argmax(dim=-1).tolist()[: len(token_ids)] == token_ids


def bits_of_reading(model: TextGenerator, tweet: SampledTweet) -> float:
    """Return what each target of a tweet costs the model on average; its end counts if it came to one."""
    targets = [*VOCAB.encode(tweet.text), *([EOS] if tweet.reached_eos else [])]
    with torch.no_grad():
        logits = model.eval()(torch.tensor([[BOS, *targets]]))[0][0, :-1]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(targets)).item() / math.log(2)


@given(sampling=sampling_configs(primes=("", "the ")), seed=st.integers(0, 2**63 - 1))
def test_bits_per_character_are_what_reading_the_tweet_costs_the_model(
    model: TextGenerator, sampling: SamplingConfig, seed: int
) -> None:
    tweet = write(model, sampling, seed)

    assert tweet.bits_per_char == pytest.approx(bits_of_reading(model, tweet), rel=1e-3, abs=1e-5)


def test_sampling_set_in_the_middle_of_a_tweet_holds_from_the_next_character_on(model: TextGenerator) -> None:
    wild = SamplingConfig(temperature=5.0, max_length=30)
    seed = next(seed for seed in range(100) if len(write(model, wild, seed).text) == 30)
    expected = write(model, wild, seed).text[:8]
    writer = TweetSampler(model, VOCAB, wild, [seed])
    for _ in range(8):
        writer.advance()

    writer.set_draw(replace(wild, temperature=0.0))
    while not writer.is_done:
        writer.advance()

    [tweet] = writer.results()
    greedy_from_there = write(model, SamplingConfig(temperature=0.0, max_length=30, prime=expected))
    assert tweet.text == greedy_from_there.text
    assert tweet.text != write(model, wild, seed).text
    assert tweet.temperature == 0.0


def test_the_rungs_of_a_ladder_have_their_own_temperatures_and_one_seed(model: TextGenerator) -> None:
    sampling = SamplingConfig(max_length=25)
    seeds = [9] * len(LADDER_TEMPERATURES)

    rungs = sample_tweets(model, VOCAB, sampling, seeds, LADDER_TEMPERATURES)

    assert [rung.temperature for rung in rungs] == list(LADDER_TEMPERATURES)
    for rung in rungs:
        assert rung.text == write(model, replace(sampling, temperature=rung.temperature), seed=9).text


def test_a_tweet_is_written_with_the_weights_of_the_moment_when_it_began() -> None:
    torch.manual_seed(3)
    model = TextGenerator(len(VOCAB), 8, 16)
    expected = write(model, SamplingConfig(max_length=40))
    writer = TweetSampler(model, VOCAB, SamplingConfig(max_length=40), [0])

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.1)
    while not writer.is_done:
        writer.advance()

    assert writer.results() == [expected]
    assert write(model, SamplingConfig(max_length=40)) != expected


def test_a_model_that_is_not_finite_writes_nothing_and_says_so() -> None:
    model = TextGenerator(len(VOCAB), 4, 4)
    with torch.no_grad():
        model.proj.weight.fill_(torch.nan)

    for temperature in (0.0, 1.0):
        with pytest.raises(DivergedError, match="not finite"):
            write(model, SamplingConfig(temperature=temperature))
