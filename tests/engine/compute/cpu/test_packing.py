"""Packing to few shapes bounds the padding, and changes neither loss nor gradients.

Added rows change the order of sums over rows, so gradients agree within one rounding to bfloat16, 1/256.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.cpu.packing import PackedBatch, padded_num_rows
from engine.compute.cpu.train_step import GruStep
from engine.model.gru import TextGenerator
from tests.engine.compute.cpu.random_batches import (
    LossAndGrads,
    Shape,
    gradient_error,
    random_batch,
    shapes,
    step_results,
)

SOME = Shape(lengths=[], vocab_size=20, embedding_size=5, hidden_size=18, num_layers=2, seed=3)


def model_of(shape: Shape) -> TextGenerator:
    """Return a float32 model."""
    return shape.model().float()


@given(st.integers(1, 50_000))
def test_a_padded_number_of_rows_is_at_most_a_quarter_more(num_rows: int) -> None:
    assert num_rows <= padded_num_rows(num_rows) <= max(128, num_rows * 5 / 4)
    assert padded_num_rows(padded_num_rows(num_rows)) == padded_num_rows(num_rows)


def test_there_are_few_heights() -> None:
    assert len({padded_num_rows(num_rows) for num_rows in range(1, 10_001)}) < 40


def with_and_without_added_rows(model: TextGenerator, lengths: list[int]) -> tuple[LossAndGrads, LossAndGrads]:
    """Return loss and gradients with added rows and without."""
    batch = random_batch(lengths, model.proj.out_features)
    step, exact = (GruStep(model, "bfloat16") for _ in range(2))
    exact._has_few_shapes = False
    assert len(PackedBatch.from_batch(batch, has_few_shapes=True).added) > 0
    return step_results(step, model, batch), step_results(exact, model, batch)


@given(shape=shapes())
def test_added_rows_change_neither_loss_nor_gradients(shape: Shape) -> None:
    found, exact = with_and_without_added_rows(model_of(shape), shape.lengths)

    assert found[0] == pytest.approx(exact[0], rel=1e-5)
    assert gradient_error(found, exact) < 1 / 256


def test_a_step_reads_nothing_left_in_the_buffers_by_a_larger_batch() -> None:
    """The larger batch fills all rows with NaN, which would spread to the results."""
    model, large, small = model_of(SOME), random_batch([60] * 30, 20), random_batch([9, 8, 3], 20)
    expected = step_results(GruStep(model, "bfloat16"), model, small)
    used, kept = GruStep(model, "bfloat16"), {n: v.clone() for n, v in model.state_dict().items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    assert np.isnan(step_results(used, model, large)[0])
    model.load_state_dict(kept)

    found = step_results(used, model, small)

    assert found[0] == expected[0]
    assert all(torch.equal(grad, expected[1][name]) for name, grad in found[1].items())
