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


def new_optimizer(*, is_double: bool = False, decay: float = 0.0) -> tuple[FlatParameters, FusedAdamW, RowRmsprop]:
    torch.manual_seed(0)
    model = TextGenerator(5, 3, H, ngram_contexts=R)
    assert model.ngram_input is not None
    model.ngram_input.weight.data[1:] = torch.randn(R, H)
    flat = FlatParameters(model.double() if is_double else model)
    adamw = FusedAdamW(flat, 0.0)
    assert flat.table is not None
    return flat, adamw, RowRmsprop(flat.table, adamw.step_count, decay)


def write_gradient(flat: FlatParameters, rows: tuple[int, ...], seed: int) -> None:
    """Write a random gradient of these rows."""
    assert flat.table is not None
    flat.table.grad.zero_()
    flat.table.touched.zero_()
    generator = torch.Generator().manual_seed(seed)
    for row in rows:
        flat.table.grad[row] = torch.randn(H, generator=generator)
        flat.table.touched[row] = 2


def state_of(flat: FlatParameters, of_table: RowRmsprop) -> list[Tensor]:
    assert flat.table is not None
    return [tensor.clone() for tensor in (flat.table.weight, of_table.row_square)]


@pytest.mark.parametrize("update", [RowRmsprop.step, RowRmsprop.update_by_masks])
@pytest.mark.parametrize("has_rate_on_device", [False, True])
@pytest.mark.parametrize("is_double", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.3, 40.0])
def test_touched_rows_and_those_due_to_decay_are_updated_by_the_definition_and_others_not_at_all(
    monkeypatch: pytest.MonkeyPatch, update: object, *, has_rate_on_device: bool, is_double: bool, decay: float
) -> None:
    monkeypatch.setattr(RowRmsprop, "step", update)
    flat, adamw, of_table = new_optimizer(is_double=is_double, decay=decay)
    assert flat.table is not None
    weights, squares = flat.table.weight.double(), torch.zeros(1 + R, dtype=torch.float64)
    num_steps = 0
    for number, (rows, is_skipped) in enumerate(zip(TOUCHED, IS_SKIPPED, strict=True)):
        rate = 2.0 ** -(5 + number)
        write_gradient(flat, rows, number)
        before = state_of(flat, of_table)
        changed = set[int]() if is_skipped else {*rows}
        if not is_skipped:
            num_steps += 1
            if decay:
                due = num_steps  # of rows 0 to R, the one of this number
                weights[due] *= max(0.0, 1 - NGRAM_RATE_FACTOR * rate * decay) ** DECAY_EVERY
                changed.add(due)
            for row in rows:
                grad = flat.table.grad[row].double()
                squares[row] = 0.999 * squares[row] + 0.001 * grad.square().mean()
                scale = (squares[row] / (1 - 0.999**num_steps)).sqrt() + 1e-8
                weights[row] -= NGRAM_RATE_FACTOR * rate * grad / scale

        adamw.step(rate, torch.tensor(is_skipped))
        of_table.step(torch.tensor(rate) if has_rate_on_device else rate, torch.tensor(is_skipped))

        others = [row for row in range(1 + R) if row not in changed]
        for found, old in zip(state_of(flat, of_table), before, strict=True):
            assert torch.equal(found[others], old[others])
        torch.testing.assert_close(flat.table.weight.double(), weights, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(of_table.row_square.double(), squares, rtol=1e-5, atol=1e-8)


def test_each_row_decays_once_in_as_many_steps_as_it_decays_for() -> None:
    flat, adamw, of_table = new_optimizer(decay=0.5)
    assert flat.table is not None
    before = flat.table.weight.clone()
    write_gradient(flat, (), 0)
    for _ in range(DECAY_EVERY):
        adamw.step(0.01, torch.tensor(data=False))
        of_table.step(0.01, torch.tensor(data=False))
    torch.testing.assert_close(flat.table.weight, before * (1 - NGRAM_RATE_FACTOR * 0.01 * 0.5) ** DECAY_EVERY)


@pytest.mark.parametrize("update", [RowRmsprop.step, RowRmsprop.update_by_masks])
def test_a_skipped_step_changes_nothing_whatever_the_gradient(monkeypatch: pytest.MonkeyPatch, update: object) -> None:
    monkeypatch.setattr(RowRmsprop, "step", update)
    flat, adamw, of_table = new_optimizer()
    assert flat.table is not None
    for is_first in (True, False):
        before = state_of(flat, of_table)
        write_gradient(flat, (1, 2), 0)
        flat.table.grad[1, :3] = torch.tensor([math.nan, math.inf, -math.inf])
        is_skipped = torch.tensor(data=True)
        adamw.step(0.1, is_skipped)
        of_table.step(0.1, is_skipped)
        assert all(torch.equal(*pair) for pair in zip(state_of(flat, of_table), before, strict=True)), is_first
        write_gradient(flat, (1, 2), 0)
        adamw.step(0.1, ~is_skipped)
        of_table.step(0.1, ~is_skipped)


@pytest.mark.parametrize("update", [RowRmsprop.step, RowRmsprop.update_by_masks])
def test_a_squared_gradient_that_overflows_stops_the_change_of_its_row_only(
    monkeypatch: pytest.MonkeyPatch, update: object
) -> None:
    monkeypatch.setattr(RowRmsprop, "step", update)
    flat, adamw, of_table = new_optimizer()
    assert flat.table is not None
    before, _ = state_of(flat, of_table)
    write_gradient(flat, (1, 2), 0)
    flat.table.grad[1] = 1e30
    adamw.step(0.1, torch.tensor(data=False))
    of_table.step(0.1, torch.tensor(data=False))
    assert torch.equal(flat.table.weight[1], before[1])
    assert not torch.isclose(flat.table.weight[2], before[2]).any()
    assert flat.table.weight.isfinite().all()


def test_the_dense_update_and_the_norm_exclude_the_table() -> None:
    flat, adamw, _ = new_optimizer()
    assert flat.table is not None
    table = flat.table.weight.clone()
    write_gradient(flat, (1, 2), 0)
    assert flat.grad_norm() == 0
    flat.dense_grads[0] = 3
    assert flat.grad_norm() == 3
    adamw.step(0.1, torch.tensor(data=False))
    assert torch.equal(flat.table.weight, table)
    assert len(adamw.exp_avg) == len(adamw.exp_avg_sq) == flat.num_dense
