"""`ThreadedStep` gives the loss and gradients of `GruStep` on any number of threads, and the same numbers each time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.compute.cpu.threaded_step import ThreadedStep, one_torch_thread
from engine.compute.cpu.train_step import GruStep
from engine.corpus.encoded_tweets import Batch
from engine.model.gru import TextGenerator
from tests.engine.compute.cpu.random_batches import Shape, random_batch, shapes

SOME = Shape(
    lengths=[3, 9, 1, 9, 6], vocab_size=20, embedding_size=5, hidden_size=18, num_layers=2, seed=3, has_table=True
)


def results(step: GruStep | ThreadedStep, model: TextGenerator, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss and copies of all gradients of a step."""
    loss = step.loss_and_grads(batch)
    grads = {name: parameter.grad for name, parameter in model.named_parameters()}
    return loss, {name: grad.clone() for name, grad in grads.items() if grad is not None}


def on_threads(num_threads: int, step: ThreadedStep, model: TextGenerator, batch: Batch) -> dict[str, Tensor]:
    """Return the loss, as "loss", and all gradients of a step on so many threads."""
    with one_torch_thread():
        torch.set_num_threads(num_threads)
        loss, grads = results(step, model, batch)
        assert torch.get_num_threads() == num_threads
    return grads | {"loss": loss}


@given(shape=shapes(), num_threads=st.integers(1, 3))
def test_on_any_number_of_threads_loss_and_all_gradients_are_those_of_one(shape: Shape, num_threads: int) -> None:
    plain, model = shape.model(), shape.model()
    expected_loss, expected = results(GruStep(plain), plain, shape.batch())
    step = ThreadedStep(model)

    for _ in range(2):
        found = on_threads(num_threads, step, model, shape.batch())

        assert found.pop("loss").item() == pytest.approx(expected_loss.item(), rel=1e-10)
        for name, grad in expected.items():
            assert torch.allclose(found[name], grad, rtol=1e-10, atol=1e-10), name


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_with_dropout_a_step_on_threads_is_repeated_exactly_by_its_seed(precision: str) -> None:
    model, batch = SOME.model(dropout=0.5).float(), SOME.batch()

    def seeded(seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        return on_threads(2, ThreadedStep(model, precision), model, batch)

    first, second, other = seeded(1), seeded(1), seeded(2)

    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["loss"], other["loss"])


def test_the_threads_draw_different_masks_of_dropout() -> None:
    model = replace(SOME, has_table=False).model(dropout=0.5)
    twice = random_batch([9], 20)
    pair = Batch(twice.inputs.repeat(2, axis=0), twice.targets.repeat(2, axis=0), num_targets=18)
    step = ThreadedStep(model)

    on_threads(2, step, model, pair)

    first, second = (own.dropouts[0].mask for own in step.steps)
    assert first is not None
    assert second is not None
    assert not torch.equal(first, second)


def test_a_change_of_the_weights_reaches_all_threads() -> None:
    model, batch = SOME.model(), SOME.batch()
    step = ThreadedStep(model)
    on_threads(2, step, model, batch)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)

    found, expected = on_threads(2, step, model, batch), on_threads(1, ThreadedStep(model), model, batch)

    assert all(torch.allclose(found[name], expected[name], rtol=1e-10, atol=1e-10) for name in expected)


def test_an_error_in_a_thread_is_raised_once_all_have_ended() -> None:
    model, batch = SOME.model(), SOME.batch()
    step = ThreadedStep(model)
    inputs = batch.inputs.copy()
    inputs[1::2] += 1000  # those of the second thread
    invalid = Batch(inputs, batch.targets, batch.num_targets)

    with pytest.raises((IndexError, RuntimeError)):
        on_threads(2, step, model, invalid)

    found, expected = on_threads(2, step, model, batch), on_threads(1, ThreadedStep(model), model, batch)
    assert all(torch.allclose(found[name], expected[name], rtol=1e-10, atol=1e-10) for name in expected)
