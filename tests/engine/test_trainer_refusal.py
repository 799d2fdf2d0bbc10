"""A step whose loss or gradient is not finite leaves weights and optimizer bit for bit as they were, and says so."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import pytest
import torch
from torch import Tensor

from engine.config import TrainingConfig
from engine.corpus.batches import BatchStream
from engine.corpus.encoded import Batch
from engine.corpus.position import Position
from engine.fast.gru_step import GruStep
from engine.gru import TextGenerator
from engine.trainer import Trainer
from tests.engine.helpers import CPU, encoded


@pytest.fixture
def batch() -> Batch:
    return next(BatchStream(encoded()[0], 8, seed=3, position=Position()))


@pytest.fixture(params=["float32", "bfloat16"])
def trainer(batch: Batch, request: pytest.FixtureRequest) -> Trainer:
    """Return a trainer of either path that has taken two steps, with all that an optimizer can do by itself."""
    torch.manual_seed(0)
    model = TextGenerator(len(encoded()[1]), 6, 10)
    trainer = Trainer(model, TrainingConfig(weight_decay=0.1, max_grad_norm=1.0), replace(CPU, precision=request.param))
    for _ in range(2):
        trainer.step(batch, 0.004)
    trainer.take_report()
    return trainer


def copy_of_state(trainer: Trainer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.state().items()}


def assert_state_is(trainer: Trainer, expected: dict[str, Tensor]) -> None:
    state = trainer.state()
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), name


@contextlib.contextmanager
def poisoned_gradient(trainer: Trainer) -> Iterator[None]:
    """Put infinity into one number of the gradient."""
    sound = GruStep.loss_and_grads

    def poisoned(step: GruStep, batch: Batch) -> Tensor:
        loss = sound(step, batch)
        gradient = trainer.model.proj.bias.grad
        assert gradient is not None
        gradient[0] = math.inf
        return loss

    with mock.patch.object(GruStep, "loss_and_grads", poisoned):
        yield


def test_a_gradient_that_is_not_finite_changes_nothing(trainer: Trainer, batch: Batch) -> None:
    before = copy_of_state(trainer)
    with poisoned_gradient(trainer):
        trainer.step(batch, 0.004)
    assert_state_is(trainer, before)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_changes_nothing(trainer: Trainer, batch: Batch, poison: float) -> None:
    before = copy_of_state(trainer)
    sound = GruStep.loss_and_grads

    with mock.patch.object(GruStep, "loss_and_grads", lambda step, batch: sound(step, batch) * poison):
        trainer.step(batch, 0.004)

    assert_state_is(trainer, before)


def test_a_refused_step_counts_and_is_told_as_not_a_number(trainer: Trainer, batch: Batch) -> None:
    with poisoned_gradient(trainer):
        trainer.step(batch, 0.004)
    trainer.step(batch, 0.004)

    report = trainer.take_report()

    assert trainer.step_count == 4
    assert report.first_step == 3
    assert [math.isnan(loss) for loss in report.train_losses] == [True, False]
    assert [math.isnan(norm) for norm in report.grad_norms] == [True, False]


def test_after_a_refused_step_training_goes_on_as_if_it_had_not_been(trainer: Trainer, batch: Batch) -> None:
    before = copy_of_state(trainer)
    trainer.step(batch, 0.004)
    expected = copy_of_state(trainer)
    trainer.load_state(before, step_count=2)
    with poisoned_gradient(trainer):
        trainer.step(batch, 0.004)

    trainer.step(batch, 0.004)

    assert_state_is(trainer, expected)
