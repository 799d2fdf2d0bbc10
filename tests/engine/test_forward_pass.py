"""What a batch costs by `ForwardPass`, with compiled kernels and without, is what `TextGenerator.forward` says."""

from __future__ import annotations

import sys
from unittest import mock

import pytest
import torch
from hypothesis import given, settings

from engine.evaluation import sum_of_losses
from engine.fast import forward_pass
from engine.fast.forward_pass import ForwardPass
from engine.fast.gru_layer import take_step
from engine.gru import TextGenerator
from tests.engine.fast_batches import Shape, random_batch, shapes

WAYS = [take_step, None]


def by_forward(shape: Shape, model: TextGenerator) -> float:
    batch = shape.batch()
    with torch.no_grad():
        return float(sum_of_losses(model.eval(), torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)))


@pytest.mark.parametrize("run_step", WAYS)
@given(shape=shapes())
@settings(deadline=None)
def test_the_sum_agrees_with_the_models_own_forward(run_step: forward_pass.StepFunction | None, shape: Shape) -> None:
    model = shape.model().float()
    expected = by_forward(shape, model)

    assert float(ForwardPass(model, run_step).sum_of_losses(shape.batch())) == pytest.approx(
        expected, rel=1e-6, abs=1e-5
    )


@pytest.mark.parametrize("run_step", WAYS)
def test_a_batch_does_not_depend_on_the_one_read_before(run_step: forward_pass.StepFunction | None) -> None:
    shape = Shape(lengths=[3, 9, 1], vocab_size=20, embedding_size=5, hidden_size=5, num_layers=2, seed=3)
    model, batch = shape.model().float(), shape.batch()
    reader = ForwardPass(model, run_step)
    first = float(reader.sum_of_losses(batch))

    reader.sum_of_losses(random_batch([12, 12, 12, 12, 30], 20))

    assert float(reader.sum_of_losses(batch)) == first


def test_nothing_is_dropped_and_the_model_stays_in_training_mode() -> None:
    shape = Shape(lengths=[3, 9, 1], vocab_size=20, embedding_size=5, hidden_size=5, num_layers=2, seed=3)
    model = shape.model(dropout=0.9).float().train()

    found = float(ForwardPass(model).sum_of_losses(shape.batch()))

    assert model.training
    assert found == pytest.approx(by_forward(shape, model), rel=1e-6)


def test_without_numba_the_plain_step_is_taken() -> None:
    model = TextGenerator(20, 5, 5)

    with mock.patch.dict(sys.modules, {"engine.fast.kernels": None}):
        assert ForwardPass(model)._run_step is take_step
    assert ForwardPass(model)._run_step is not take_step
