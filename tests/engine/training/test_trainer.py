"""A step equals the tutorial's; padding and clipping change what they should; a non-finite step changes nothing."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.compute.cpu.train_step import GruStep
from engine.compute.loss_buffer import CAPACITY, LossBuffer
from engine.config.run import TrainingConfig
from engine.corpus.encoded_tweets import Batch
from engine.model.flat_parameters import FlatParameters
from engine.model.gru import TextGenerator
from engine.model.vocab import PAD
from engine.sampling.tutorial_loop import LEARNING_RATE, TutorialGenerator, TutorialLoop
from engine.training.trainer import Trainer
from tests.engine.helpers import CPU, assert_same_tensors, copy_of_state, encoded, model_with_table, some_batches

E, H = 6, 8
VOCAB_SIZE = len(encoded()[1])


def new_trainer(max_grad_norm: float = 0.0) -> Trainer:
    torch.manual_seed(0)
    return Trainer(TextGenerator(VOCAB_SIZE, E, H), TrainingConfig(max_grad_norm=max_grad_norm), CPU)


def train_losses(trainer: Trainer, batches: Sequence[Batch], learning_rate: float = 0.004) -> list[float]:
    for batch in batches:
        trainer.step(batch, learning_rate)
    return trainer.drain_report().train_losses


def with_padding(batch: Batch, columns: int) -> Batch:
    """Return the batch with `columns` more columns of padding."""
    wider = ((0, 0), (0, columns))
    inputs, targets = (np.pad(array, wider, constant_values=PAD) for array in (batch.inputs, batch.targets))
    return Batch(inputs, targets, batch.num_targets)


def test_losses_agree_step_by_step_with_the_tutorials_own_loop() -> None:
    batches = some_batches(25)
    trainer = new_trainer()
    theirs = TutorialGenerator(VOCAB_SIZE, E, H)
    theirs.load_state_dict(trainer.model.state_dict())
    loop = TutorialLoop(theirs)

    their_losses = [loop.step(batch) for batch in batches]
    our_losses = train_losses(trainer, batches, LEARNING_RATE)

    assert our_losses == pytest.approx(their_losses, rel=1e-4)
    assert our_losses[-1] < our_losses[0] - 0.2


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_batch_in_parts_has_the_gradient_of_the_whole_and_touches_the_same_rows(precision: str) -> None:
    torch.manual_seed(0)
    model = model_with_table(E, H)
    whole, in_parts = (
        Trainer(copy.deepcopy(model), TrainingConfig(), replace(CPU, precision=precision)) for _ in range(2)
    )
    in_parts.set_micro_batch_size(3)
    for batch in some_batches(3):
        for trainer in (whole, in_parts):
            trainer.step(batch, 0.001)
        tables = [FlatParameters(trainer.model).table for trainer in (whole, in_parts)]
        counts = [table.touched.tolist() for table in tables if table is not None]
        assert counts[0] == counts[1]
        grads = [table.grad for table in tables if table is not None]
        tolerance = 1e-5 if precision == "float32" else 0.05
        assert (grads[0] - grads[1]).norm() < tolerance * grads[0].norm()


def test_more_padding_changes_neither_loss_nor_gradient() -> None:
    [batch] = some_batches(1)
    one, other = new_trainer(), new_trainer()

    one.step(batch, 0.0)
    other.step(with_padding(batch, columns=17), 0.0)

    report, padded = one.drain_report(), other.drain_report()
    assert report.train_losses == pytest.approx(padded.train_losses, rel=1e-6)
    assert report.grad_norms == pytest.approx(padded.grad_norms, rel=1e-5)
    for parameter, of_padded in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert parameter.grad is not None
        assert of_padded.grad is not None
        assert torch.allclose(parameter.grad, of_padded.grad, atol=1e-7)


def test_a_long_gradient_is_clipped_and_its_full_norm_reported() -> None:
    [batch] = some_batches(1)
    free, clipped = new_trainer(), new_trainer(max_grad_norm=0.01)

    free.step(batch, 0.0)
    clipped.step(batch, 0.0)

    [norm] = free.drain_report().grad_norms
    assert clipped.drain_report().grad_norms == [norm]
    assert norm > 0.01
    squares = [parameter.grad.square().sum() for parameter in clipped.model.parameters() if parameter.grad is not None]
    assert math.sqrt(sum(map(float, squares))) == pytest.approx(0.01, rel=1e-3)


def reference_state(model: TextGenerator, optimizer: torch.optim.AdamW) -> dict[str, Tensor]:
    """Return the state as single tensors, as programs without flat buffers have saved it."""
    tensors = {f"model.{name}": tensor.clone() for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        tensors |= {f"optimizer.{key}.{name}": value.clone() for key, value in optimizer.state[parameter].items()}
    return tensors


@pytest.mark.parametrize("is_tied", [False, True])
def test_a_state_of_torchs_own_optimizer_continues_as_that_does_and_has_the_same_names(*, is_tied: bool) -> None:
    torch.manual_seed(0)
    model = TextGenerator(VOCAB_SIZE, H, H, tied_embeddings=is_tied)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.004, weight_decay=0.1)
    trainer = Trainer(copy.deepcopy(model), TrainingConfig(weight_decay=0.1, max_grad_norm=0.0), CPU)

    for number, batch in enumerate(some_batches(6)):
        if number == 3:
            trainer.load_state(reference_state(model, optimizer), step_count=3)
        GruStep(model).loss_and_grads(batch)
        optimizer.step()
        if number >= 3:
            trainer.step(batch, 0.004)

    expected = reference_state(model, optimizer)
    assert trainer.state().keys() == expected.keys()
    for name, tensor in trainer.state().items():
        assert (tensor.dtype, tensor.shape) == (torch.float32, expected[name].shape)
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-6)


# skipped steps -----------------------------------------------------------------------------------------------------


@pytest.fixture
def batch() -> Batch:
    return some_batches(1)[0]


@pytest.fixture(params=["float32", "bfloat16"])
def trainer(batch: Batch, request: pytest.FixtureRequest) -> Trainer:
    """Return a trainer of either precision after two steps, with a table and weight decay."""
    torch.manual_seed(0)
    model = model_with_table(E, H)
    trainer = Trainer(model, TrainingConfig(weight_decay=0.1, max_grad_norm=1.0), replace(CPU, precision=request.param))
    for _ in range(2):
        trainer.step(batch, 0.004)
    trainer.drain_report()
    return trainer


@contextlib.contextmanager
def poisoned_gradient(trainer: Trainer) -> Iterator[None]:
    """Set one number of the gradient to infinity."""
    sound = GruStep.loss_and_grads

    def poisoned(step: GruStep, batch: Batch) -> Tensor:
        loss = sound(step, batch)
        gradient = trainer.model.proj.bias.grad
        assert gradient is not None
        gradient[0] = math.inf
        return loss

    with mock.patch.object(GruStep, "loss_and_grads", poisoned):
        yield


def test_a_gradient_that_is_not_finite_changes_nothing_and_is_reported_as_nan(trainer: Trainer, batch: Batch) -> None:
    before = copy_of_state(trainer)
    trainer.step(batch, 0.004)
    expected = copy_of_state(trainer)
    trainer.load_state(before, step_count=2)

    with poisoned_gradient(trainer):
        trainer.step(batch, 0.004)

    assert_same_tensors(trainer.state(), before)
    trainer.step(batch, 0.004)
    assert_same_tensors(trainer.state(), expected)
    report = trainer.drain_report()
    assert (trainer.step_count, report.first_step) == (4, 3)
    assert [math.isnan(loss) for loss in report.train_losses] == [True, False]
    assert [math.isnan(norm) for norm in report.grad_norms] == [True, False]


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_non_finite_loss_changes_nothing(trainer: Trainer, batch: Batch, poison: float) -> None:
    before = copy_of_state(trainer)
    sound = GruStep.loss_and_grads

    with mock.patch.object(GruStep, "loss_and_grads", lambda step, batch: sound(step, batch) * poison):
        trainer.step(batch, 0.004)

    assert_same_tensors(trainer.state(), before)


# the buffer of losses -----------------------------------------------------------------------------------------------


def write(history: LossBuffer, first: int, count: int) -> None:
    for number in range(first, first + count):
        history.write(torch.tensor(float(number)), torch.tensor(float(-number)))
        history.count()


def numbers(first: int, count: int) -> tuple[list[float], list[float]]:
    return [float(n) for n in range(first, first + count)], [-float(n) for n in range(first, first + count)]


@given(counts=st.lists(st.integers(0, CAPACITY + 100), max_size=4))
def test_each_step_is_drained_once_and_in_order_however_many_there_are(counts: list[int]) -> None:
    history, first = LossBuffer(CPU.device), 0
    for count in counts:
        write(history, first, count)
        assert len(history) == count
        assert history.drain() == numbers(first, count)
        first += count
    write(history, first, 5)
    history.clear()
    assert (len(history), history.drain()) == (0, ([], []))
    write(history, 100, 4)
    assert history.drain() == numbers(100, 4)
