"""`RowRmsprop` equals its definition, in compiled code and by masks; a skipped step changes nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from engine.compute.adamw import FusedAdamW
from engine.compute.row_rmsprop import DECAY_EVERY, NGRAM_RATE_FACTOR, RowRmsprop
from engine.model.flat_parameters import FlatParameters
from engine.model.gru import TextGenerator

R, H = 6, 9
TOUCHED = ((1, 2), (2,), (1, 5, 6), (2, 3), (1, 2, 3, 4, 5, 6), (4,))
"""The touched rows of each step."""
IS_SKIPPED = (False, True, False, False, False, False)
BOTH_WAYS = pytest.mark.parametrize("update", [RowRmsprop.step, RowRmsprop.update_by_masks])


class Table:
    """A random table of R rows with its optimizer, which may update it by masks."""

    def __init__(self, update: object = RowRmsprop.step, decay: float = 0.0, *, is_double: bool = False) -> None:
        torch.manual_seed(0)
        model = TextGenerator(5, 3, H, ngram_contexts=R)
        assert model.ngram_input is not None
        model.ngram_input.weight.data[1:] = torch.randn(R, H)
        self.flat = FlatParameters(model.double() if is_double else model)
        self.adamw = FusedAdamW(self.flat, 0.0)
        assert self.flat.table is not None
        self.own = self.flat.table
        self.optimizer = RowRmsprop(self.own, self.adamw.step_count, decay)
        self._update = update

    def write_gradient(self, rows: tuple[int, ...], seed: int = 0) -> None:
        """Write a random gradient of these rows."""
        self.own.grad.zero_()
        self.own.touched.zero_()
        generator = torch.Generator().manual_seed(seed)
        for row in rows:
            self.own.grad[row] = torch.randn(H, generator=generator)
            self.own.touched[row] = 2

    def step(self, rate: float | Tensor, *, is_skipped: bool = False) -> None:
        """Run a step of both optimizers."""
        self.adamw.step(float(rate), torch.tensor(is_skipped))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RowRmsprop, "step", self._update)
            self.optimizer.step(rate, torch.tensor(is_skipped))

    def state(self) -> list[Tensor]:
        """Return copies of the rows and their squares."""
        return [tensor.clone() for tensor in (self.own.weight, self.optimizer.row_square)]


@BOTH_WAYS
@pytest.mark.parametrize("has_rate_on_device", [False, True])
@pytest.mark.parametrize("is_double", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.3, 40.0])
def test_touched_rows_and_those_due_to_decay_are_updated_by_the_definition_and_others_not_at_all(
    update: object, *, has_rate_on_device: bool, is_double: bool, decay: float
) -> None:
    table = Table(update, decay, is_double=is_double)
    weights, squares = table.own.weight.double(), torch.zeros(1 + R, dtype=torch.float64)
    num_steps = 0
    for number, (rows, is_skipped) in enumerate(zip(TOUCHED, IS_SKIPPED, strict=True)):
        rate = 2.0 ** -(5 + number)
        table.write_gradient(rows, number)
        before = table.state()
        changed = set[int]() if is_skipped else {*rows}
        if not is_skipped:
            num_steps += 1
            if decay:
                due = num_steps  # of rows 0 to R, the one of this number
                weights[due] *= max(0.0, 1 - NGRAM_RATE_FACTOR * rate * decay) ** DECAY_EVERY
                changed.add(due)
            for row in rows:
                grad = table.own.grad[row].double()
                squares[row] = 0.999 * squares[row] + 0.001 * grad.square().mean()
                scale = (squares[row] / (1 - 0.999**num_steps)).sqrt() + 1e-8
                weights[row] -= NGRAM_RATE_FACTOR * rate * grad / scale

        table.step(torch.tensor(rate) if has_rate_on_device else rate, is_skipped=is_skipped)

        others = [row for row in range(1 + R) if row not in changed]
        for found, old in zip(table.state(), before, strict=True):
            assert torch.equal(found[others], old[others])
        torch.testing.assert_close(table.own.weight.double(), weights, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(table.optimizer.row_square.double(), squares, rtol=1e-5, atol=1e-8)


def test_each_row_decays_once_in_as_many_steps_as_it_decays_for() -> None:
    table = Table(decay=0.5)
    before = table.own.weight.clone()
    table.write_gradient(())
    for _ in range(DECAY_EVERY):
        table.step(0.01)
    torch.testing.assert_close(table.own.weight, before * (1 - NGRAM_RATE_FACTOR * 0.01 * 0.5) ** DECAY_EVERY)


@BOTH_WAYS
def test_a_skipped_step_changes_nothing_whatever_the_gradient(update: object) -> None:
    table = Table(update)
    for is_first in (True, False):
        before = table.state()
        table.write_gradient((1, 2))
        table.own.grad[1, :3] = torch.tensor([math.nan, math.inf, -math.inf])
        table.step(0.1, is_skipped=True)
        assert all(torch.equal(*pair) for pair in zip(table.state(), before, strict=True)), is_first
        table.write_gradient((1, 2))
        table.step(0.1)


@BOTH_WAYS
def test_a_squared_gradient_that_overflows_stops_the_change_of_its_row_only(update: object) -> None:
    table = Table(update)
    before, _ = table.state()
    table.write_gradient((1, 2))
    table.own.grad[1] = 1e30
    table.step(0.1)
    assert torch.equal(table.own.weight[1], before[1])
    assert not torch.isclose(table.own.weight[2], before[2]).any()
    assert table.own.weight.isfinite().all()


def test_the_dense_update_and_the_norm_exclude_the_table() -> None:
    table = Table()
    before, _ = table.state()
    table.write_gradient((1, 2))
    assert table.flat.grad_norm() == 0
    table.flat.dense_grads[0] = 3
    assert table.flat.grad_norm() == 3
    table.adamw.step(0.1, torch.tensor(data=False))
    assert torch.equal(table.own.weight, before)
    assert len(table.adamw.exp_avg) == len(table.adamw.exp_avg_sq) == table.flat.num_dense
