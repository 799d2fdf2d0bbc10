"""What a batch costs by `ForwardPass` is what `TextGenerator.forward` says."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings

from engine.evaluation import sum_of_losses
from engine.fast.forward_pass import ForwardPass
from engine.gru import TextGenerator
from tests.engine.fast_batches import Shape, random_batch, shapes


def by_forward(shape: Shape, model: TextGenerator) -> float:
    batch = shape.batch()
    with torch.no_grad():
        return float(sum_of_losses(model.eval(), torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)))


@given(shape=shapes())
@settings(deadline=None, max_examples=50)
def test_the_sum_agrees_with_the_models_own_forward(shape: Shape) -> None:
    model = shape.model().float()
    expected = by_forward(shape, model)

    assert float(ForwardPass(model).sum_of_losses(shape.batch())) == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_a_batch_does_not_depend_on_the_one_read_before() -> None:
    shape = Shape(lengths=[3, 9, 1], vocab_size=20, embedding_size=5, hidden_size=5, num_layers=2, seed=3)
    model, batch = shape.model().float(), shape.batch()
    reader = ForwardPass(model)
    first = float(reader.sum_of_losses(batch))

    reader.sum_of_losses(random_batch([12, 12, 12, 12, 30], 20))

    assert float(reader.sum_of_losses(batch)) == first


def test_nothing_is_dropped_and_the_model_stays_in_training_mode() -> None:
    shape = Shape(lengths=[3, 9, 1], vocab_size=20, embedding_size=5, hidden_size=5, num_layers=2, seed=3)
    model = shape.model(dropout=0.9).float().train()

    found = float(ForwardPass(model).sum_of_losses(shape.batch()))

    assert model.training
    assert found == pytest.approx(by_forward(shape, model), rel=1e-6)
