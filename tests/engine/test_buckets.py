"""Buckets: few shapes, little padding, and nothing learned from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - what everyone calls it
from hypothesis import given
from hypothesis import strategies as st

from engine.accelerated.buckets import bucket_length, to_device_batch
from engine.accelerated.device_step import mean_loss
from engine.corpus.encoded import Batch
from engine.gru import TextGenerator
from engine.vocab import PAD
from tests.engine.helpers import encoded


def some_batch(num_tweets: int, seed: int = 0) -> tuple[Batch, int]:
    """Return a batch of made-up tweets and the size of their vocabulary."""
    tweets, vocab = encoded()
    indices = np.random.default_rng(seed).choice(len(tweets), num_tweets, replace=False)
    return tweets.batch(indices), len(vocab)


@given(length=st.integers(1, 100_000))
def test_a_bucket_holds_its_tweets_and_is_hardly_longer(length: int) -> None:
    bucket = bucket_length(length)
    assert length <= bucket < max(length + 8, length * 9 / 8)
    assert bucket_length(bucket) == bucket


def test_a_batch_keeps_its_tweets_and_gets_nothing_but_padding() -> None:
    batch, _ = some_batch(3)
    ready = to_device_batch(batch, 8)
    num_tweets, length = batch.targets.shape

    assert ready.tokens.shape == (bucket_length(length) + 1, 8)
    assert ready.num_targets == batch.num_targets == int((ready.tokens[1:] != PAD).sum())
    assert (batch.targets == ready.tokens[1 : length + 1, :num_tweets].T).all()
    is_target = batch.targets != PAD
    assert (ready.tokens[:length, :num_tweets].T[is_target] == batch.inputs[is_target]).all()
    assert (ready.tokens[length + 1 :] == PAD).all()
    assert (ready.tokens[:, num_tweets:] == PAD).all()


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("num_tweets", [1, 5, 8])
def test_loss_and_gradients_are_those_of_the_tweets_without_padding(num_layers: int, num_tweets: int) -> None:
    batch, vocab_size = some_batch(num_tweets, seed=num_tweets)
    torch.manual_seed(1)
    model = TextGenerator(vocab_size, 5, 7, num_layers).double()
    parameters = list(model.parameters())

    logits, _ = model(torch.from_numpy(batch.inputs))
    expected = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten(), ignore_index=PAD)
    loss = mean_loss(model, torch.from_numpy(to_device_batch(batch, 8).tokens))

    assert torch.allclose(loss, expected, rtol=1e-12)
    for grad, wanted in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        assert torch.allclose(grad, wanted, rtol=1e-10, atol=1e-14)
