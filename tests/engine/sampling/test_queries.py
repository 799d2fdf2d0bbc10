"""Completions agree with the sampler, scores with the evaluation; all answers are harmless text."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.config.sampling import SamplingConfig
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.vocab import EOS, Vocab
from engine.sampling.queries import COMPLETION_CHARS, NUM_TOP_CHARS, complete, score_chars, unknown_chars
from engine.sampling.sampler import sample_tweets
from engine.training.evaluation import evaluate
from tests.engine.helpers import encoded_with, small_tweets, vocab_of

VOCAB = vocab_of(small_tweets())
HOSTILE = ("\x1b", "\u202e", "\n", "\u2028", "a")


def random_model() -> TextGenerator:
    """Return a model with weights large enough for a distribution far from uniform, and seldom an end."""
    torch.manual_seed(5)
    model = TextGenerator(len(VOCAB), 8, 16, num_layers=2, dropout=0.3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
        model.proj.bias[EOS] -= 2.0
    return model


MODEL = random_model()


@given(
    text=st.text(sorted(VOCAB.chars), max_size=30),
    sampling=st.builds(SamplingConfig, temperature=st.sampled_from([0.0, 0.5, 0.8, 2.0]), top_k=st.integers(0, 5)),
    seed=st.integers(0, 1000),
)
def test_a_completion_is_the_tweet_sampled_with_that_prime(text: str, sampling: SamplingConfig, seed: int) -> None:
    prompted = replace(sampling, prime=text, max_length=len(text) + COMPLETION_CHARS)

    completion = complete(MODEL, VOCAB, sampling, text, seed)

    [tweet] = sample_tweets(MODEL, VOCAB, prompted, [seed])
    assert (text + completion.text, completion.reached_eos) == (tweet.text, tweet.reached_eos)


@given(seed=st.integers(0, 1000), num_typed=st.integers(0, COMPLETION_CHARS))
def test_a_text_that_follows_its_completion_is_completed_by_the_rest(seed: int, num_typed: int) -> None:
    whole = complete(MODEL, VOCAB, SamplingConfig(), "the ", seed).text

    rest = complete(MODEL, VOCAB, SamplingConfig(), "the " + whole[:num_typed], seed).text

    assert rest.startswith(whole[num_typed:])


def test_the_most_likely_next_characters_are_those_of_the_forward_pass() -> None:
    with torch.no_grad():
        logits, _ = MODEL.eval()(torch.tensor([[1, *VOCAB.encode("the c")]]))
    probabilities = logits[0, -1].softmax(dim=-1)
    order = [index for index in probabilities.argsort(descending=True).tolist() if index == EOS or index >= 4]

    chances = complete(MODEL, VOCAB, SamplingConfig(), "the c", 0).next_chars

    assert [chance.char for chance in chances] == ["" if i == EOS else VOCAB.itos[i] for i in order[:NUM_TOP_CHARS]]
    assert [chance.probability for chance in chances] == pytest.approx(
        probabilities[order[:NUM_TOP_CHARS]].tolist(), abs=1e-4
    )


@pytest.mark.parametrize("text", ["the cat hugs tea", "", "@mia_k ☃ loves 雪 jam", "☃"])
def test_the_scores_add_up_to_the_loss_of_an_evaluation(text: str) -> None:
    chars = score_chars(MODEL, VOCAB, text)

    nats = evaluate(MODEL, encoded_with(VOCAB, [text])).total_nats
    assert [char.char for char in chars] == [*text, ""]
    assert sum(char.bits for char in chars) == pytest.approx(nats / math.log(2), rel=1e-4, abs=1e-2)


def test_unknown_characters_are_distinct_in_order_and_harmless() -> None:
    assert unknown_chars(VOCAB, "the cat") == ()
    assert unknown_chars(VOCAB, "q☃ the ☃ 雪q") == ("q", "☃", "雪")
    assert unknown_chars(Vocab("ab"), "a b") == (" ",)
    assert unknown_chars(Vocab(HOSTILE), "a\x1ba\u202e") == ("\ufffd",)


def test_a_non_finite_model_raises() -> None:
    model = random_model()
    with torch.no_grad():
        model.proj.bias[EOS] = math.nan

    with pytest.raises(DivergedError):
        complete(model, VOCAB, SamplingConfig(), "the ", 0)
    with pytest.raises(DivergedError):
        score_chars(model, VOCAB, "the cat")
