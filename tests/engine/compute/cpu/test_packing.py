"""A packed batch holds every real target once, in few shapes where it is told so; that changes no loss and gradient.

With added rows, sums over rows are taken in another order: "the same" is within one rounding to bfloat16, 1/256.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compute.cpu.packing import PackedBatch, height_for
from engine.compute.cpu.train_step import GruStep
from engine.model.gru import TextGenerator
from tests.engine.compute.cpu.random_batches import Found, Shape, found_by, gradient_error, random_batch, shapes

SOME = Shape(lengths=[], vocab_size=20, embedding_size=5, hidden_size=18, num_layers=2, seed=3)


def model_of(shape: Shape) -> TextGenerator:
    """Return a float32 model."""
    return shape.model().float()


@given(st.integers(1, 50_000))
def test_a_height_is_a_quarter_above_the_number_of_rows_at_most(num_rows: int) -> None:
    assert num_rows <= height_for(num_rows) <= max(128, num_rows * 5 / 4)
    assert height_for(height_for(num_rows)) == height_for(num_rows)


def test_there_are_few_heights() -> None:
    assert len({height_for(num_rows) for num_rows in range(1, 10_001)}) < 40


def both(model: TextGenerator, lengths: list[int]) -> tuple[Found, Found]:
    """Return what is found with added rows and without."""
    batch = random_batch(lengths, model.proj.out_features)
    step, exact = (GruStep(model, "bfloat16") for _ in range(2))
    exact._has_few_shapes = False
    assert len(PackedBatch.from_batch(batch, has_few_shapes=True).added) > 0
    return found_by(step, model, batch), found_by(exact, model, batch)


@given(shape=shapes())
@settings(deadline=None, max_examples=30)
def test_loss_and_gradients_are_those_without_added_rows(shape: Shape) -> None:
    found, exact = both(model_of(shape), shape.lengths)

    assert found[0] == pytest.approx(exact[0], rel=1e-5)
    assert gradient_error(found, exact) < 1 / 256


def test_what_a_larger_batch_has_left_behind_is_never_read() -> None:
    """It leaves NaN in all rows, which nothing but being overwritten can take away."""
    model, large, small = model_of(SOME), random_batch([60] * 30, 20), random_batch([9, 8, 3], 20)
    expected = found_by(GruStep(model, "bfloat16"), model, small)
    used, kept = GruStep(model, "bfloat16"), {n: v.clone() for n, v in model.state_dict().items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    assert np.isnan(found_by(used, model, large)[0])
    model.load_state_dict(kept)

    found = found_by(used, model, small)

    assert found[0] == expected[0]
    assert all(torch.equal(grad, expected[1][name]) for name, grad in found[1].items())
