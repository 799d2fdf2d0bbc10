"""The fast path in bfloat16 stays within its rounding of the same path in float32: losses, gradients, whole runs.

Rounded numbers have 8 binary digits, a relative error of at most 1/256. Of gradients, the length of the difference is
compared with the length of all gradients together: a single number may be all rounding. The random shapes of the
Hypothesis test (100 for each layer type) are tiny, with large weights, so that they get there now and then.
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
from engine.fast.fused_layer import FusedGruLayer
from engine.fast.gru_layer import GruLayer
from engine.fast.gru_step import GruStep
from engine.gru import TextGenerator
from engine.trainer import Trainer
from tests.engine.fast_batches import Shape, found_by, gradient_error, random_batch, shapes
from tests.engine.helpers import CPU, encoded

LAYER_TYPES = [GruLayer, FusedGruLayer]
SOME = Shape(lengths=[3, 9, 1, 9, 6], vocab_size=20, embedding_size=5, hidden_size=7, num_layers=2, seed=3)


def usual_model(num_layers: int = 1, dropout: float = 0.0) -> TextGenerator:
    """Return a model as a run begins with."""
    torch.manual_seed(0)
    return TextGenerator(60, 32, 48, num_layers, dropout)


@pytest.mark.parametrize("layer_type", LAYER_TYPES)
@given(shape=shapes())
@settings(deadline=None)
def test_loss_and_gradients_agree_with_float32_within_the_rounding(layer_type: type[GruLayer], shape: Shape) -> None:
    model, batch = shape.model().float(), shape.batch()
    initial = torch.randn(shape.num_layers, len(shape.lengths), shape.hidden_size)
    exact = found_by(GruStep(model), model, batch, initial)

    rounded = found_by(GruStep(model, "bfloat16", layer_type), model, batch, initial)

    assert rounded[0] == pytest.approx(exact[0], rel=0.03, abs=0.03)
    assert gradient_error(rounded, exact) < 0.4


@pytest.mark.parametrize("layer_type", LAYER_TYPES)
@pytest.mark.parametrize("num_layers", [1, 2])
def test_in_a_usual_model_the_difference_is_a_hundredth(layer_type: type[GruLayer], num_layers: int) -> None:
    model, batch = usual_model(num_layers), random_batch(list(range(20, 52)), vocab_size=60)
    exact = found_by(GruStep(model), model, batch)

    rounded = found_by(GruStep(model, "bfloat16", layer_type), model, batch)

    assert rounded[0] == pytest.approx(exact[0], rel=1e-3)
    assert 1e-5 < gradient_error(rounded, exact) < 0.01


def test_kernels_and_plain_pytorch_agree_within_the_rounding_with_dropout_too() -> None:
    model, batch = usual_model(num_layers=2, dropout=0.25), random_batch(list(range(20, 52)), vocab_size=60)
    found = []
    for layer_type in LAYER_TYPES:
        torch.manual_seed(7)
        found.append(found_by(GruStep(model, "bfloat16", layer_type), model, batch))

    assert found[0][0] == pytest.approx(found[1][0], rel=1e-3)
    assert gradient_error(found[0], found[1]) < 0.01


@pytest.mark.parametrize("layer_type", LAYER_TYPES)
def test_a_long_sum_of_small_gradients_comes_to_what_it_comes_to_in_float32(layer_type: type[GruLayer]) -> None:
    """Added one by one in bfloat16, 4,000 equal numbers come to 256 times one of them."""
    model, batch = usual_model(), random_batch([20] * 200, vocab_size=2)
    exact = found_by(GruStep(model), model, batch)

    rounded = found_by(GruStep(model, "bfloat16", layer_type), model, batch)

    for name in ("embed.weight", "rnn.bias_ih_l0", "rnn.weight_hh_l0", "proj.weight", "proj.bias"):
        assert (rounded[1][name] - exact[1][name]).norm() < 0.02 * exact[1][name].norm(), name


@pytest.mark.parametrize("layer_type", LAYER_TYPES)
def test_a_weight_that_is_not_a_number_is_seen_in_loss_and_gradient(layer_type: type[GruLayer]) -> None:
    for name in ("rnn.weight_hh_l0", "rnn.weight_ih_l1", "embed.weight", "proj.bias"):
        model = SOME.model().float()
        with torch.no_grad():
            model.get_parameter(name).view(-1)[-1] = torch.nan
        batch = random_batch([SOME.vocab_size] * 8, SOME.vocab_size)

        loss, grads = found_by(GruStep(model, "bfloat16", layer_type), model, batch)

        assert np.isnan(loss), name
        assert grads["embed.weight"].isnan().any(), name


@pytest.mark.parametrize("layer_type", LAYER_TYPES)
def test_gates_that_are_wide_open_or_shut_stay_finite(layer_type: type[GruLayer]) -> None:
    model = SOME.model().float()
    with torch.no_grad():
        model.get_parameter("rnn.bias_ih_l0").copy_(torch.tensor([1e4, -1e4, 90.0, -90.0, 0.0, 1e30, -1e30] * 3))

    loss, grads = found_by(GruStep(model, "bfloat16", layer_type), model, SOME.batch())

    assert loss == pytest.approx(found_by(GruStep(model), model, SOME.batch())[0], rel=0.03)
    assert all(grad.isfinite().all() for grad in grads.values())


@pytest.mark.parametrize("layer_type", LAYER_TYPES)
def test_memory_that_other_batches_have_used_changes_nothing(layer_type: type[GruLayer]) -> None:
    model = SOME.model().float()
    used = GruStep(model, "bfloat16", layer_type)

    for lengths in ([4, 2], [9, 9, 9, 8, 8, 1], [1], [4, 2]):
        batch = random_batch(lengths, SOME.vocab_size)
        loss, grads = found_by(used, model, batch)
        fresh_loss, fresh = found_by(GruStep(model, "bfloat16", layer_type), model, batch)

        assert loss == fresh_loss
        assert all(torch.equal(grads[name], fresh[name]) for name in fresh)


def train_losses(
    steps: int, precision: str, layer_type: type[GruLayer] = FusedGruLayer, dropout: float = 0.0
) -> list[float]:
    """Return the losses of the first steps of a small run."""
    tweets, vocab = encoded()
    torch.manual_seed(1)
    trainer = Trainer(
        TextGenerator(len(vocab), 12, 24, 2, dropout), TrainingConfig(), replace(CPU, precision=precision)
    )
    trainer._loss_and_grads = GruStep(trainer.model, precision, layer_type).loss_and_grads
    stream = BatchStream(tweets, 8, seed=3, position=Position())
    for _ in range(steps):
        trainer.step(next(stream), 0.004)
    assert all(parameter.dtype == torch.float32 for parameter in trainer.model.parameters())
    return trainer.take_report().train_losses


def test_the_curve_of_120_steps_stays_within_a_hundredth_of_that_of_float32() -> None:
    exact, *rounded = (
        np.reshape(train_losses(120, precision, layer_type), (-1, 20)).mean(axis=1)
        for precision, layer_type in (("float32", FusedGruLayer), *(("bfloat16", each) for each in LAYER_TYPES))
    )

    for curve in rounded:
        assert curve == pytest.approx(exact, rel=0.01)
    assert exact[-1] < exact[0] / 2


@pytest.mark.parametrize("layer_type", LAYER_TYPES)
def test_the_same_seed_gives_the_same_losses_bit_for_bit(layer_type: type[GruLayer]) -> None:
    first, again = (train_losses(10, "bfloat16", layer_type, dropout=0.3) for _ in range(2))

    assert first == again
