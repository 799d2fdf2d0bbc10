"""Characters are drawn from the model's distribution as the settings change it; tweets depend on their seed alone.

Completions agree with the sampler, scores with the evaluation; answers are harmless text.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.config.sampling import LADDER_TEMPERATURES, SamplingConfig
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, PAD, UNK, Vocab
from engine.sampling.logits import NEVER_SAMPLED, Floats, draw, next_char_weights
from engine.sampling.queries import COMPLETION_CHARS, NUM_TOP_CHARS, complete, score_chars, unknown_chars
from engine.sampling.sampler import SampledTweet, TweetSampler
from engine.training.evaluation import evaluate
from tests.engine.helpers import encoded_with, small_tweets, vocab_of
from tests.strategies import sampling_configs

LOGITS = st.lists(st.floats(-40, 40, width=32), min_size=5, max_size=24)
"""For the four special symbols and at least one character."""


def row(values: list[float]) -> Floats:
    """Return logits (1, V), float32."""
    return np.array([values], dtype=np.float32)


def probabilities(values: list[float], temperature: float = 1.0, **settings: float) -> Floats:
    """Return the distribution (V,) of one row."""
    sampling = SamplingConfig(temperature=temperature, **settings)  # type: ignore[arg-type] # numbers by name
    [weights] = next_char_weights(row(values), sampling, np.array([[temperature]], dtype=np.float32))
    result: Floats = weights / weights.sum()
    return result


def softmax(values: list[float], temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Return the softmax (V,) over all ids that may be sampled, computed independently."""
    scaled = np.array(values) / temperature
    weights = np.exp(scaled - scaled.max())
    weights[list(NEVER_SAMPLED)] = 0.0
    chances: npt.NDArray[np.float64] = weights / weights.sum()
    return chances


FILTERS = {"top_k": st.integers(1, 30), "top_p": st.floats(0.001, 0.999), "min_p": st.floats(0.001, 0.999)}


@given(values=LOGITS, temperature=st.floats(0.3, 5), settings=st.fixed_dictionaries({}, optional=FILTERS))
def test_probabilities_are_zero_for_special_symbols_without_a_filter_the_softmax_and_at_0_greedy(
    values: list[float], temperature: float, settings: dict[str, float]
) -> None:
    [allowed] = row(values)
    allowed[list(NEVER_SAMPLED)] = -math.inf
    for is_last in (False, True):
        result = probabilities(values, temperature, temperature_last=is_last, **settings)
        assert float(result.sum()) == pytest.approx(1.0, abs=1e-5)
        assert (result >= 0).all()
        assert result[[PAD, BOS, UNK]].tolist() == [0.0, 0.0, 0.0]
        plain = probabilities(values, temperature, temperature_last=is_last)
        assert np.allclose(plain, softmax(values, temperature), atol=1e-5)
        greedy = probabilities(values, 0.0, temperature_last=is_last, **settings)
        assert greedy.tolist() == np.eye(len(values))[allowed.argmax()].tolist()


@given(values=LOGITS, settings=st.fixed_dictionaries(FILTERS), temperature=st.floats(1, 5))
def test_a_filter_keeps_the_most_likely_and_their_proportions(
    values: list[float], settings: dict[str, float], temperature: float
) -> None:
    """Top-k keeps k, top-p the smallest set of total probability p, min-p what is likely enough relative to the top."""
    before = probabilities(values).astype(np.float64)
    kept = {}
    for name, value in settings.items():
        after = probabilities(values, **{name: value})
        kept[name] = after > 0
        chances = before[kept[name]]
        assert (before[~kept[name]] <= chances.min()).all()
        assert np.allclose(after[kept[name]], chances / chances.sum(), atol=1e-5)
    possible, num_kept = before[before > 0].tolist(), int(kept["top_k"].sum())
    top_k, is_tied = min(settings["top_k"], len(possible)), len(set(possible)) < len(possible)
    assert num_kept >= top_k if is_tied else num_kept == top_k
    chances, share = before[kept["top_p"]], before / before.max()
    assert chances.sum() - chances.min() - 1e-5 < settings["top_p"] <= chances.sum() + 1e-5
    assert kept["min_p"][share > settings["min_p"] + 1e-5].all()
    assert not kept["min_p"][share < settings["min_p"] - 1e-5].any()
    last = probabilities(values, temperature, min_p=settings["min_p"], temperature_last=True)
    assert ((last > 0) == kept["min_p"]).all()
    at_temperature = softmax(values, temperature) * kept["min_p"]
    assert np.allclose(last, at_temperature / at_temperature.sum(), atol=1e-5)


def test_top_k_comes_before_top_p_and_top_p_before_min_p() -> None:
    chances = [0.4, 0.3, 0.2, 0.1]
    values = [0.0, 0.0, -math.inf, 0.0, *map(math.log, chances)]
    # top-k leaves 4/7 and 3/7, of which the first alone is more than half
    assert np.count_nonzero(probabilities(values, top_k=2, top_p=0.5)) == 1
    assert np.count_nonzero(probabilities(values, top_p=0.5)) == 2
    # min-p is relative to the most likely, after top-p
    assert np.count_nonzero(probabilities(values, top_p=0.75, min_p=0.7)) == 2
    # and to a high temperature, unless that comes last
    assert np.count_nonzero(probabilities(values, 4.0, min_p=0.6)) == 4
    assert np.count_nonzero(probabilities(values, 4.0, min_p=0.6, temperature_last=True)) == 2


def test_an_id_is_drawn_where_the_cumulative_probability_passes_the_uniform_number() -> None:
    uniforms = np.array([0.0, 0.2499, 0.25, 0.5, 0.7499, 0.75, 1.0 - 2.0**-53])  # up to the largest
    for factor in (1.0, 3.0):
        weights = factor * row([0.0, 0.25, 0.0, 0.5, 0.25]).repeat(7, axis=0)
        assert draw(weights, uniforms).tolist() == [1, 1, 3, 3, 3, 4, 4]


VOCAB = vocab_of(small_tweets())


def random_model(eos_bias: float = -1.0) -> TextGenerator:
    """Return a model with weights large enough for a distribution far from uniform, and seldom an end."""
    torch.manual_seed(5)
    model = TextGenerator(len(VOCAB), 8, 18, num_layers=2, dropout=0.3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
        model.proj.bias[EOS] += eos_bias
    return model


MODEL = random_model()


def sample(sampling: SamplingConfig, seed: int = 0, model: TextGenerator = MODEL) -> SampledTweet:
    [tweet] = TweetSampler(model, VOCAB, sampling, [seed]).results()
    return tweet


def test_the_text_of_a_tweet_does_not_depend_on_the_others_in_its_batch() -> None:
    together = TweetSampler(MODEL, VOCAB, SamplingConfig(max_length=40), range(12)).results()
    assert len({len(tweet.text) for tweet in together}) > 3
    assert [tweet.seed for tweet in together] == list(range(12))
    for tweet in together:
        alone = sample(SamplingConfig(max_length=40), tweet.seed)
        assert (alone.text, alone.reached_eos) == (tweet.text, tweet.reached_eos)
        assert alone.bits_per_char == pytest.approx(tweet.bits_per_char, rel=1e-4)


def test_a_tweet_that_is_cut_at_its_maximal_length_keeps_a_blank_at_its_end() -> None:
    tweets = TweetSampler(MODEL, VOCAB, SamplingConfig(max_length=9, prime="the"), range(200)).results()
    cut = [tweet.text for tweet in tweets if not tweet.reached_eos]
    assert {len(text) for text in cut} == {9}
    assert any(text.endswith(" ") for text in cut)


def logits_of(token_ids: list[int]) -> Tensor:
    """Return the module's own logits (T, V), without dropout."""
    with torch.no_grad():
        result: Tensor = MODEL.eval()(torch.tensor([token_ids]))[0][0]
    MODEL.train()
    return result


@given(
    sampling=sampling_configs(primes=("", "the ")) | st.just(SamplingConfig(temperature=0.0, max_length=30)),
    seed=st.integers(0, 2**63 - 1),
)
def test_bits_per_char_is_of_a_forward_pass_of_which_greedy_is_the_argmax(sampling: SamplingConfig, seed: int) -> None:
    tweet = sample(sampling, seed)
    targets = [*VOCAB.encode(tweet.text), *([EOS] if tweet.reached_eos else [])]
    logits = logits_of([BOS, *targets])[:-1]
    nats = torch.nn.functional.cross_entropy(logits, torch.tensor(targets)).item()
    assert tweet.bits_per_char == pytest.approx(nats / math.log(2), rel=1e-3, abs=1e-5)
    if sampling.temperature == 0:
        logits[:, list(NEVER_SAMPLED)] = -torch.inf
        num_given = len(sampling.prime)
        assert logits.argmax(dim=-1).tolist()[num_given:] == targets[num_given:]


def test_sampling_settings_changed_during_a_tweet_apply_to_the_next_character() -> None:
    wild = SamplingConfig(temperature=5.0, max_length=30)
    seed = next(seed for seed in range(100) if len(sample(wild, seed).text) == 30)
    expected = sample(wild, seed).text[:8]
    sampler = TweetSampler(MODEL, VOCAB, wild, [seed])
    for _ in range(8):
        sampler.advance()
    sampler.sampling = replace(wild, temperature=0.0)
    [tweet] = sampler.results()
    greedy_after = sample(SamplingConfig(temperature=0.0, max_length=30, prime=expected))
    assert tweet.text == greedy_after.text
    assert tweet.text != sample(wild, seed).text
    assert tweet.temperature == 0.0


def test_the_rungs_of_a_ladder_have_their_own_temperatures_and_one_seed() -> None:
    sampling = SamplingConfig(max_length=25)
    seeds = [9] * len(LADDER_TEMPERATURES)
    rungs = TweetSampler(MODEL, VOCAB, sampling, seeds, LADDER_TEMPERATURES).results()
    assert [rung.temperature for rung in rungs] == list(LADDER_TEMPERATURES)
    for rung in rungs:
        assert rung.text == sample(replace(sampling, temperature=rung.temperature), seed=9).text


def test_a_tweet_is_sampled_with_the_weights_at_its_start() -> None:
    model, sampling = random_model(), SamplingConfig(max_length=40)
    sampler = TweetSampler(model, VOCAB, sampling, [0])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.1)
    assert sampler.results() == [sample(sampling)] != [sample(sampling, model=model)]


@given(
    text=st.text(sorted(VOCAB.chars), max_size=30),
    sampling=st.builds(SamplingConfig, temperature=st.sampled_from([0.0, 0.5, 0.8, 2.0]), top_k=st.integers(0, 5)),
    seed=st.integers(0, 1000),
    num_typed=st.integers(0, COMPLETION_CHARS),
)
def test_a_completion_is_the_tweet_sampled_with_that_prime_and_a_text_that_follows_it_is_completed_by_the_rest(
    text: str, sampling: SamplingConfig, seed: int, num_typed: int
) -> None:
    prompted = replace(sampling, prime=text, max_length=len(text) + COMPLETION_CHARS)
    completion = complete(MODEL, VOCAB, sampling, text, seed)
    [tweet] = TweetSampler(MODEL, VOCAB, prompted, [seed]).results()
    assert (text + completion.text, completion.reached_eos) == (tweet.text, tweet.reached_eos)
    rest = complete(MODEL, VOCAB, sampling, text + completion.text[:num_typed], seed)
    assert rest.text.startswith(completion.text[num_typed:])


def test_the_most_likely_next_characters_are_those_of_the_forward_pass() -> None:
    probabilities = logits_of([BOS, *VOCAB.encode("the c")])[-1].softmax(dim=-1)
    order = [index for index in probabilities.argsort(descending=True).tolist() if index == EOS or index >= 4]
    expected = {"" if i == EOS else VOCAB.itos[i]: float(probabilities[i]) for i in order[:NUM_TOP_CHARS]}
    chances = complete(MODEL, VOCAB, SamplingConfig(), "the c", 0).next_chars
    assert [chance.char for chance in chances] == list(expected)
    assert [chance.probability for chance in chances] == pytest.approx(list(expected.values()), abs=1e-4)


def test_the_scores_add_up_to_the_loss_of_an_evaluation() -> None:
    for text in ("the cat hugs tea", "", "@mia_k ☃ loves 雪 jam", "☃"):
        chars = score_chars(MODEL, VOCAB, text)
        nats = evaluate(MODEL, encoded_with(VOCAB, [text])).total_nats
        assert [char.char for char in chars] == [*text, ""]
        assert sum(char.bits for char in chars) == pytest.approx(nats / math.log(2), rel=1e-4, abs=1e-2)


def test_unknown_characters_are_distinct_in_order_and_harmless() -> None:
    assert unknown_chars(VOCAB, "the cat") == ()
    assert unknown_chars(VOCAB, "q☃ the ☃ 雪q") == ("q", "☃", "雪")
    assert unknown_chars(Vocab("ab"), "a b") == (" ",)
    assert unknown_chars(Vocab(("\x1b", "\u202e", "\n", "\u2028", "a")), "a\x1ba\u202e") == ("\ufffd",)


def test_a_non_finite_model_raises() -> None:
    model = random_model(math.nan)
    for temperature in (0.0, 1.0):
        with pytest.raises(DivergedError, match="not finite"):
            sample(SamplingConfig(temperature=temperature), model=model)
    with pytest.raises(DivergedError):
        complete(model, VOCAB, SamplingConfig(), "the ", 0)
    with pytest.raises(DivergedError):
        score_chars(model, VOCAB, "the cat")
