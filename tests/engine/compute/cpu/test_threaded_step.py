"""`ThreadedStep` gives the loss and gradients of `GruStep` on any number of threads, and the same numbers each time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.cpu.threaded_step import ThreadedStep, one_torch_thread
from engine.compute.cpu.train_step import GruStep
from engine.corpus.encoded_tweets import Batch
from engine.model.gru import TextGenerator
from tests.engine.compute.cpu.random_batches import (
    SOME,
    LossAndGrads,
    Shape,
    assert_close,
    assert_same_results,
    random_batch,
    shapes,
    step_results,
)


def on_threads(num_threads: int, step: ThreadedStep, model: TextGenerator, batch: Batch) -> LossAndGrads:
    """Return the loss and all gradients of a step on so many threads."""
    with one_torch_thread():
        torch.set_num_threads(num_threads)
        results = step_results(step, model, batch)
        assert torch.get_num_threads() == num_threads
    return results


@given(shape=shapes(hidden_sizes=(18,)), num_threads=st.integers(1, 3))
def test_on_any_number_of_threads_loss_and_all_gradients_are_those_of_one(shape: Shape, num_threads: int) -> None:
    plain, model = shape.model(), shape.model()
    expected = step_results(GruStep(plain), plain, shape.batch())
    step = ThreadedStep(model)
    for _ in range(2):
        assert_close(on_threads(num_threads, step, model, shape.batch()), expected, 1e-10)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_with_dropout_a_step_on_threads_is_repeated_exactly_by_its_seed(precision: str) -> None:
    model, batch = SOME.model(dropout=0.5).float(), SOME.batch()

    def seeded(seed: int) -> LossAndGrads:
        torch.manual_seed(seed)
        return on_threads(2, ThreadedStep(model, precision), model, batch)

    first, second, other = seeded(1), seeded(1), seeded(2)

    assert_same_results(second, first)
    assert first[0] != other[0]


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


def test_a_change_of_the_weights_reaches_all_threads_also_after_an_error_in_one() -> None:
    """The error is raised once all have ended."""
    model, batch = SOME.model(), SOME.batch()
    step = ThreadedStep(model)
    on_threads(2, step, model, batch)
    inputs = batch.inputs.copy()
    inputs[1::2] += 1000  # those of the second thread
    with pytest.raises((IndexError, RuntimeError)):
        on_threads(2, step, model, Batch(inputs, batch.targets, batch.num_targets))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)

    found, expected = on_threads(2, step, model, batch), on_threads(1, ThreadedStep(model), model, batch)

    assert_close(found, expected, 1e-10)
