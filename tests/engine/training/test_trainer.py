"""A step equals the tutorial's and that of torch's optimizers; the buffer of losses; the optimizer of a table."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.compute import optimizer
from engine.compute.cpu.step import GruStep
from engine.compute.optimizer import DECAY_EVERY, NGRAM_RATE_FACTOR, FusedAdamW, LossBuffer, RowRmsprop
from engine.config.run import TrainingConfig
from engine.model.gru import TextGenerator
from engine.model.parameters import FlatParameters
from engine.sampling.bench import LEARNING_RATE, TutorialGenerator, TutorialLoop
from engine.training.trainer import Trainer
from tests.engine.helpers import CPU, assert_close_tensors, encoded, model_with_table, some_batches

E, H = 6, 8
VOCAB_SIZE = len(encoded()[1])


def test_losses_agree_step_by_step_with_the_tutorials_own_loop() -> None:
    torch.manual_seed(0)
    trainer = Trainer(TextGenerator(VOCAB_SIZE, E, H), TrainingConfig(max_grad_norm=0.0), CPU)
    theirs = TutorialGenerator(VOCAB_SIZE, E, H)
    theirs.load_state_dict(trainer.model.state_dict())
    loop, their_losses = TutorialLoop(theirs), []
    for batch in some_batches(25):
        their_losses.append(loop.step(batch))
        trainer.step(batch, LEARNING_RATE)
    our_losses = trainer.drain_report().train_losses
    assert our_losses == pytest.approx(their_losses, rel=1e-4)
    assert our_losses[-1] < our_losses[0] - 0.2


def test_a_batch_in_parts_has_the_gradient_of_the_whole_and_touches_the_same_rows_in_bfloat16() -> None:
    torch.manual_seed(0)
    model, runtime, found = model_with_table(E, H), replace(CPU, precision="bfloat16"), []
    for size in (None, 3):
        trainer = Trainer(copy.deepcopy(model), TrainingConfig(), runtime)
        trainer.micro_batch_size = size
        trainer.step(some_batches(1)[0], 0.001)
        table = trainer.flat.table
        assert table is not None
        found.append((table.touched.tolist(), trainer.flat.grads_and_loss.clone()))
    (touched, whole), (touched_in_parts, in_parts) = found
    assert touched_in_parts == touched
    assert 0 < (in_parts - whole).norm() < 0.05 * whole.norm()


def reference_state(model: TextGenerator, optimizer: torch.optim.AdamW) -> dict[str, Tensor]:
    """Return weights and state of one of torch's own optimizers by the names of a checkpoint."""
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
        assert_close_tensors(tensor, expected[name], rtol=1e-4, atol=1e-6)


# the buffer of losses -----------------------------------------------------------------------------------------------


@mock.patch.object(optimizer, "CAPACITY", 9)
@given(counts=st.lists(st.integers(0, 25), max_size=4))
def test_each_step_is_drained_once_and_in_order_however_many_there_are(counts: list[int]) -> None:
    history, first = LossBuffer(CPU.device), 0

    def written(count: int) -> tuple[list[float], list[float]]:
        losses = [float(number) for number in range(first, first + count)]
        for loss in losses:
            history.write(torch.tensor(loss), torch.tensor(-loss))
            history.count()
        return losses, [-loss for loss in losses]

    for count in counts:
        expected = written(count)
        assert len(history) == count
        assert history.drain() == expected
        first += count
    written(5)
    history.clear()
    assert (len(history), history.drain()) == (0, ([], []))
    assert written(4) == history.drain()


# The optimizer of the table: it equals its definition in the tests of a device's step, in compiled code and by masks --


R, WIDTH, RATE = 6, 9, 2.0**-6
BOTH_WAYS = pytest.mark.parametrize("update", [RowRmsprop.step, RowRmsprop.update_by_masks])


class Table:
    """A random table of R rows with its optimizer, which may update it by masks."""

    def __init__(self, update: object, decay: float = 0.0) -> None:
        torch.manual_seed(0)
        model = TextGenerator(5, 3, WIDTH, ngram_contexts=R)
        assert model.ngram_input is not None
        model.ngram_input.weight.data[1:] = torch.randn(R, WIDTH)
        flat = FlatParameters(model)
        self.adamw = FusedAdamW(flat, 0.0)
        assert flat.table is not None
        self.own = flat.table
        self.optimizer = RowRmsprop(self.own, self.adamw.step_count, decay)
        self._update = update

    def write_gradient(self, *rows: int) -> None:
        """Write a random gradient of these rows."""
        self.own.grad.zero_()
        self.own.touched.zero_()
        for row in rows:
            self.own.grad[row] = torch.randn(WIDTH)
            self.own.touched[row] = 2

    def step(self, rate: float, *, is_skipped: bool = False) -> None:
        """Run a step of both optimizers."""
        self.adamw.step(rate, torch.tensor(is_skipped))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RowRmsprop, "step", self._update)
            self.optimizer.step(rate, torch.tensor(is_skipped))

    def state(self) -> list[Tensor]:
        """Return copies of the rows and their squares."""
        return [tensor.clone() for tensor in (self.own.weight, self.optimizer.row_square)]


@BOTH_WAYS
@pytest.mark.parametrize("decay", [0.0, 0.5, 100.0])
def test_rows_decay_in_turns_not_beyond_zero_and_not_in_a_skipped_step(update: object, decay: float) -> None:
    table = Table(update, decay)
    weights, squares = table.state()
    table.write_gradient(1, 2)
    table.own.grad[1, :3] = torch.tensor([math.nan, math.inf, -math.inf])
    table.step(RATE, is_skipped=True)  # the first, which has no correction of the squares yet
    assert all(map(torch.equal, table.state(), (weights, squares)))
    table.write_gradient()
    for _ in range(DECAY_EVERY):
        table.step(RATE)
    assert_close_tensors(table.own.weight, weights * max(0.0, 1 - NGRAM_RATE_FACTOR * RATE * decay) ** DECAY_EVERY)
    assert torch.equal(table.optimizer.row_square, squares)


@BOTH_WAYS
def test_a_squared_gradient_that_overflows_stops_the_change_of_its_row_only(update: object) -> None:
    table = Table(update)
    before, _ = table.state()
    table.write_gradient(1, 2)
    table.own.grad[1] = 1e30
    grad = table.own.grad[2].clone()
    table.step(RATE)
    assert torch.equal(table.own.weight[[0, 1, 3, 4, 5, 6]], before[[0, 1, 3, 4, 5, 6]])
    assert_close_tensors(table.own.weight[2], before[2] - NGRAM_RATE_FACTOR * RATE * grad / grad.square().mean().sqrt())
