"""The fast path in bfloat16 stays within its rounding of the same path in float32: losses, gradients, whole runs.

Rounded numbers have 8 binary digits, a relative error of at most 1/256. Of gradients, the length of the difference is
compared with the length of all gradients together: a single number may be all rounding. The random shapes of the
Hypothesis test are tiny, with large weights, so that they get there now and then.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from engine.config import TrainingConfig
from engine.corpus.batches import BatchStream
from engine.corpus.position import Position
from engine.fast.gru_step import GruStep
from engine.gru import TextGenerator
from engine.trainer import Trainer
from tests.engine.fast_batches import Shape, found_by, gradient_error, random_batch, shapes
from tests.engine.helpers import CPU, encoded

SOME = Shape(lengths=[3, 9, 1, 9, 6], vocab_size=20, embedding_size=5, hidden_size=7, num_layers=2, seed=3)


def usual_model(num_layers: int = 1, dropout: float = 0.0) -> TextGenerator:
    """Return a model as a run begins with."""
    torch.manual_seed(0)
    return TextGenerator(60, 32, 48, num_layers, dropout)


@given(shape=shapes())
@settings(deadline=None, max_examples=15)
def test_loss_and_gradients_agree_with_float32_within_the_rounding(shape: Shape) -> None:
    model, batch = shape.model().float(), shape.batch()
    exact = found_by(GruStep(model), model, batch)

    rounded = found_by(GruStep(model, "bfloat16"), model, batch)

    assert rounded[0] == pytest.approx(exact[0], rel=0.03, abs=0.03)
    assert gradient_error(rounded, exact) < 0.4


@pytest.mark.parametrize("num_layers", [1, 2])
def test_in_a_usual_model_the_difference_is_a_hundredth(num_layers: int) -> None:
    model, batch = usual_model(num_layers), random_batch(list(range(20, 52)), vocab_size=60)
    exact = found_by(GruStep(model), model, batch)

    rounded = found_by(GruStep(model, "bfloat16"), model, batch)

    assert rounded[0] == pytest.approx(exact[0], rel=1e-3)
    assert 1e-5 < gradient_error(rounded, exact) < 0.01


def test_a_long_sum_of_small_gradients_comes_to_what_it_comes_to_in_float32() -> None:
    """Added one by one in bfloat16, 4,000 equal numbers come to 256 times one of them."""
    model, batch = usual_model(), random_batch([20] * 200, vocab_size=2)
    exact = found_by(GruStep(model), model, batch)

    rounded = found_by(GruStep(model, "bfloat16"), model, batch)

    for name in ("embed.weight", "rnn.bias_ih_l0", "rnn.weight_hh_l0", "proj.weight", "proj.bias"):
        assert (rounded[1][name] - exact[1][name]).norm() < 0.02 * exact[1][name].norm(), name


def test_a_run_in_bfloat16_follows_one_in_float32() -> None:
    tweets, vocab = encoded()
    curves = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(1)
        trainer = Trainer(TextGenerator(len(vocab), 12, 24, 2), TrainingConfig(), replace(CPU, precision=precision))
        stream = BatchStream(tweets, 8, seed=3, position=Position())
        for _ in range(60):
            trainer.step(next(stream), 0.004)
        assert all(parameter.dtype == torch.float32 for parameter in trainer.model.parameters())
        curves.append(np.reshape(trainer.take_report().train_losses, (-1, 20)).mean(axis=1))
    exact, rounded = curves
    assert rounded == pytest.approx(exact, rel=0.01)
    assert exact[-1] < exact[0] - 0.5
