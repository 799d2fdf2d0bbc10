"""Evaluation: every target counts, an unknown character costs its `<UNK>` plus 20 bits, padding costs nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from engine.compute.cpu.forward_pass import ForwardPass
from engine.compute.cpu.inference_weights import InferenceWeights
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, Vocab
from engine.training.evaluation import (
    EVAL_BATCH_SIZE,
    Evaluation,
    _by_forward,
    batch_loss,
    evaluate,
    without_tensor_float_32,
)
from tests.engine.compute.cpu.random_batches import Shape, random_batch, shapes
from tests.engine.helpers import encoded_with, small_tweets, vocab_of


def random_model(vocab: Vocab, dropout: float = 0.0) -> TextGenerator:
    torch.manual_seed(4)
    return TextGenerator(len(vocab), 6, 8, dropout=dropout)


def uniform_model(vocab: Vocab) -> TextGenerator:
    """Return a model with a uniform distribution over the vocabulary."""
    model = random_model(vocab)
    with torch.no_grad():
        model.proj.weight.zero_()
        model.proj.bias.zero_()
    return model


def evaluated(model: TextGenerator, tweets: list[str], vocab: Vocab) -> Evaluation:
    result = evaluate(model, encoded_with(vocab, tweets))
    assert result is not None
    return result


def nats_one_by_one(model: TextGenerator, tweet: str, vocab: Vocab) -> float:
    """Return the loss of each target of a tweet, computed one character at a time."""
    total, hidden, token_id = 0.0, None, BOS
    with torch.no_grad():
        for target in [*vocab.encode(tweet), EOS]:
            logits, hidden = model(torch.tensor([[token_id]]), hidden)
            total -= float(logits[0, 0].double().log_softmax(dim=-1)[target])
            token_id = target
    return total


def test_the_sum_equals_that_of_a_loop_over_characters() -> None:
    tweets = ["ab", "b", "abba a", "a b a b a b a b"]
    vocab = vocab_of(tweets)
    model = random_model(vocab)

    result = evaluated(model, tweets, vocab)

    assert result.total_nats == pytest.approx(sum(nats_one_by_one(model, tweet, vocab) for tweet in tweets), rel=1e-5)
    assert (result.num_tweets, result.num_chars, result.num_unknown_chars) == (4, 24 + 4, 0)
    assert result.nats_per_char == pytest.approx(result.total_nats / 28)
    assert result.bits_per_char == pytest.approx(result.nats_per_char / math.log(2))


def test_an_unknown_character_costs_its_unk_plus_twenty_bits() -> None:
    vocab = Vocab("ab")

    result = evaluated(uniform_model(vocab), ["aZbZ"], vocab)

    assert result.num_unknown_chars == 2
    assert result.total_nats / math.log(2) == pytest.approx(5 * math.log2(6) + 2 * 20, rel=1e-6)


def test_the_figure_is_the_same_to_the_bit_on_any_number_of_threads() -> None:
    tweets = small_tweets() * 5
    vocab = vocab_of(tweets)
    model = random_model(vocab)
    before, found = torch.get_num_threads(), set()
    for num_threads in (1, 2, 3):
        torch.set_num_threads(num_threads)
        found.add(evaluated(model, tweets, vocab).total_nats)
        assert torch.get_num_threads() == num_threads
    torch.set_num_threads(before)
    assert len(tweets) > 2 * EVAL_BATCH_SIZE
    assert len(found) == 1


def test_batching_and_padding_do_not_change_the_sum() -> None:
    tweets = [tweet * times for tweet in small_tweets(50) for times in (1, 2, 3)]
    vocab = vocab_of(tweets)
    model = random_model(vocab)
    assert len(tweets) > EVAL_BATCH_SIZE

    together = evaluated(model, tweets, vocab).total_nats

    assert together == pytest.approx(sum(evaluated(model, [tweet], vocab).total_nats for tweet in tweets), rel=1e-5)


def test_an_interrupted_evaluation_returns_none_and_restores_the_training_mode() -> None:
    tweets = small_tweets() * 5
    vocab = vocab_of(tweets)
    model = random_model(vocab)
    model.train()
    answers = iter([False, True])

    result = evaluate(model, encoded_with(vocab, tweets), should_stop=lambda: next(answers))

    assert result is None
    assert model.training
    assert next(answers, "asked between two batches") == "asked between two batches"


def test_on_the_cpu_the_sum_equals_the_modules_own() -> None:
    vocab = vocab_of(small_tweets())
    model, tweets = random_model(vocab, dropout=0.5).train(), encoded_with(vocab, small_tweets())
    batch = tweets.batch(np.arange(len(tweets)))
    expected = float(_by_forward(model)(batch))

    assert evaluate(model, tweets).total_nats == pytest.approx(expected, rel=1e-6)
    assert model.training


def test_a_gpu_evaluates_without_tf32_and_allows_it_again_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with without_tensor_float_32(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_loss_of_a_batch_in_parts_is_its_mean_loss_without_dropout_or_random_numbers(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TextGenerator, "device", torch.device(device))  # "meta" stands for a GPU, without one
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *_: tensor)
    vocab = vocab_of(small_tweets())
    model, tweets = random_model(vocab, dropout=0.5).train(), encoded_with(vocab, small_tweets())
    state = torch.get_rng_state()

    loss = batch_loss(model, tweets.batch(np.arange(len(tweets))), 7)

    assert loss == pytest.approx(evaluate(model, tweets).nats_per_char, rel=1e-6)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training


# on a CPU ------------------------------------------------------------------------------------------------------------


@given(shape=shapes())
@settings(max_examples=30)
def test_the_sum_of_the_forward_pass_equals_the_modules_own(shape: Shape) -> None:
    model, batch = shape.model().float(), shape.batch()
    expected = float(_by_forward(model)(batch))

    assert float(ForwardPass(InferenceWeights(model)).sum_of_losses(batch)) == pytest.approx(
        expected, rel=1e-6, abs=1e-5
    )


def test_a_batch_does_not_depend_on_the_previous_one() -> None:
    shape = Shape(lengths=[3, 9, 1], vocab_size=20, embedding_size=5, hidden_size=8, num_layers=2, seed=3)
    model, batch = shape.model().float(), shape.batch()
    reader = ForwardPass(InferenceWeights(model))
    first = float(reader.sum_of_losses(batch))

    reader.sum_of_losses(random_batch([12, 12, 12, 12, 30], 20))

    assert float(reader.sum_of_losses(batch)) == first
