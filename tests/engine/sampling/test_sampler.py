"""Sampled tweets depend on their seed alone, and follow a change of the settings at the next character."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.config.sampling import LADDER_TEMPERATURES, SamplingConfig
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS
from engine.sampling.logits import NEVER_SAMPLED
from engine.sampling.sampler import SampledTweet, TweetSampler, sample_tweets
from tests.engine.helpers import small_tweets, vocab_of
from tests.strategies import sampling_configs

VOCAB = vocab_of(small_tweets())


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    """Return a model with weights large enough for a distribution far from uniform."""
    torch.manual_seed(21)
    model = TextGenerator(len(VOCAB), 8, 16, num_layers=2, dropout=0.4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
        model.proj.bias[EOS] -= 1.0
    return model


def sample(model: TextGenerator, sampling: SamplingConfig, seed: int = 0) -> SampledTweet:
    [tweet] = sample_tweets(model, VOCAB, sampling, [seed])
    return tweet


def test_the_text_of_a_tweet_does_not_depend_on_the_others_in_its_batch(model: TextGenerator) -> None:
    together = sample_tweets(model, VOCAB, SamplingConfig(max_length=40), range(12))

    assert len({len(tweet.text) for tweet in together}) > 3
    assert [tweet.seed for tweet in together] == list(range(12))
    for tweet in together:
        alone = sample(model, SamplingConfig(max_length=40), tweet.seed)
        assert (alone.text, alone.reached_eos) == (tweet.text, tweet.reached_eos)
        assert alone.bits_per_char == pytest.approx(tweet.bits_per_char, rel=1e-4)


def test_greedy_is_the_argmax_of_the_forward_pass_at_every_character(model: TextGenerator) -> None:
    tweet = sample(model, SamplingConfig(temperature=0.0, max_length=30))

    token_ids = VOCAB.encode(tweet.text)
    with torch.no_grad():
        logits = model.eval()(torch.tensor([[BOS, *token_ids]]))[0][0]
    logits[:, list(NEVER_SAMPLED)] = -torch.inf
    assert logits.argmax(dim=-1).tolist()[: len(token_ids)] == token_ids


def mean_surprisal(model: TextGenerator, tweet: SampledTweet) -> float:
    """Return the mean surprisal of a tweet in bits, by a forward pass; `<EOS>` counts if it was reached."""
    targets = [*VOCAB.encode(tweet.text), *([EOS] if tweet.reached_eos else [])]
    with torch.no_grad():
        logits = model.eval()(torch.tensor([[BOS, *targets]]))[0][0, :-1]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(targets)).item() / math.log(2)


@given(sampling=sampling_configs(primes=("", "the ")), seed=st.integers(0, 2**63 - 1))
def test_bits_per_char_equals_the_mean_surprisal_of_a_forward_pass(
    model: TextGenerator, sampling: SamplingConfig, seed: int
) -> None:
    tweet = sample(model, sampling, seed)

    assert tweet.bits_per_char == pytest.approx(mean_surprisal(model, tweet), rel=1e-3, abs=1e-5)


def test_sampling_settings_changed_during_a_tweet_apply_to_the_next_character(model: TextGenerator) -> None:
    wild = SamplingConfig(temperature=5.0, max_length=30)
    seed = next(seed for seed in range(100) if len(sample(model, wild, seed).text) == 30)
    expected = sample(model, wild, seed).text[:8]
    sampler = TweetSampler(model, VOCAB, wild, [seed])
    for _ in range(8):
        sampler.advance()

    sampler.set_sampling(replace(wild, temperature=0.0))
    while not sampler.is_done:
        sampler.advance()

    [tweet] = sampler.results()
    greedy_after = sample(model, SamplingConfig(temperature=0.0, max_length=30, prime=expected))
    assert tweet.text == greedy_after.text
    assert tweet.text != sample(model, wild, seed).text
    assert tweet.temperature == 0.0


def test_the_rungs_of_a_ladder_have_their_own_temperatures_and_one_seed(model: TextGenerator) -> None:
    sampling = SamplingConfig(max_length=25)
    seeds = [9] * len(LADDER_TEMPERATURES)

    rungs = sample_tweets(model, VOCAB, sampling, seeds, LADDER_TEMPERATURES)

    assert [rung.temperature for rung in rungs] == list(LADDER_TEMPERATURES)
    for rung in rungs:
        assert rung.text == sample(model, replace(sampling, temperature=rung.temperature), seed=9).text


def test_a_tweet_is_sampled_with_the_weights_at_its_start() -> None:
    torch.manual_seed(3)
    model = TextGenerator(len(VOCAB), 8, 16)
    expected = sample(model, SamplingConfig(max_length=40))
    sampler = TweetSampler(model, VOCAB, SamplingConfig(max_length=40), [0])

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.1)
    while not sampler.is_done:
        sampler.advance()

    assert sampler.results() == [expected]
    assert sample(model, SamplingConfig(max_length=40)) != expected


def test_a_non_finite_model_raises() -> None:
    model = TextGenerator(len(VOCAB), 4, 8)
    with torch.no_grad():
        model.proj.weight.fill_(torch.nan)

    for temperature in (0.0, 1.0):
        with pytest.raises(DivergedError, match="not finite"):
            sample(model, SamplingConfig(temperature=temperature))
