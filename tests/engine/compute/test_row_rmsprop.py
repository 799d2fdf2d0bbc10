"""`LazyAdam` equals torch's SparseAdam, in compiled code and by masks; a skipped step changes nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from engine.compute.adamw import FusedAdamW
from engine.compute.lazy_adam import RATE_FACTOR, LazyAdam
from engine.model.flat_parameters import FlatParameters
from engine.model.gru import TextGenerator

R, V = 6, 9
TOUCHED = ((1, 2), (2,), (1, 5, 6), (2, 3), (1, 2, 3, 4, 5, 6), (4,))
"""The touched rows of each step."""


def new_optimizer(*, is_double: bool = False) -> tuple[FlatParameters, FusedAdamW, LazyAdam]:
    torch.manual_seed(0)
    model = TextGenerator(V, 3, 4, ngram_contexts=R)
    assert model.ngram_bias is not None
    model.ngram_bias.weight.data[1:] = torch.randn(R, V)
    flat = FlatParameters(model.double() if is_double else model)
    adamw = FusedAdamW(flat, 0.0)
    assert flat.table is not None
    return flat, adamw, LazyAdam(flat.table, adamw)


def write_gradient(flat: FlatParameters, rows: tuple[int, ...], seed: int) -> None:
    """Write a random gradient of these rows."""
    assert flat.table is not None
    flat.table.grad.zero_()
    flat.table.touched.zero_()
    generator = torch.Generator().manual_seed(seed)
    for row in rows:
        flat.table.grad[row] = torch.randn(V, generator=generator)
        flat.table.touched[row] = 2


def state_of(flat: FlatParameters, lazy: LazyAdam) -> list[Tensor]:
    assert flat.table is not None
    return [tensor.clone() for tensor in (flat.table.weight, lazy.exp_avg, lazy.exp_avg_sq)]


@pytest.mark.parametrize("update", [LazyAdam.step, LazyAdam.update_by_masks])
@pytest.mark.parametrize("has_rate_on_device", [False, True])
@pytest.mark.parametrize("is_double", [False, True])
def test_touched_rows_are_updated_as_by_sparse_adam_and_others_not_at_all(
    monkeypatch: pytest.MonkeyPatch, update: object, *, has_rate_on_device: bool, is_double: bool
) -> None:
    monkeypatch.setattr(LazyAdam, "step", update)
    flat, adamw, lazy = new_optimizer(is_double=is_double)
    assert flat.table is not None
    theirs = torch.nn.Parameter(flat.table.weight.clone())
    reference = torch.optim.SparseAdam([theirs])
    for number, rows in enumerate(TOUCHED):
        rate = 2.0 ** -(5 + number)
        write_gradient(flat, rows, number)
        before = state_of(flat, lazy)
        indices = torch.tensor([rows])
        theirs.grad = torch.sparse_coo_tensor(
            indices, flat.table.grad[indices[0]], theirs.shape, is_coalesced=True, check_invariants=True
        )
        reference.param_groups[0]["lr"] = RATE_FACTOR * rate
        reference.step()  # type: ignore[no-untyped-call] # torch leaves it untyped
        is_skipped = torch.tensor(data=False)

        adamw.step(rate, is_skipped)
        lazy.step(torch.tensor(rate) if has_rate_on_device else rate, is_skipped)

        others = [row for row in range(1 + R) if row not in rows]
        torch.testing.assert_close(flat.table.weight, theirs.detach(), rtol=1e-5, atol=1e-7)
        for found, old in zip(state_of(flat, lazy), before, strict=True):
            assert torch.equal(found[others], old[others])
    state = reference.state[theirs]
    torch.testing.assert_close(lazy.exp_avg, state["exp_avg"], rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(lazy.exp_avg_sq, state["exp_avg_sq"], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("update", [LazyAdam.step, LazyAdam.update_by_masks])
def test_a_skipped_step_changes_nothing_whatever_the_gradient(monkeypatch: pytest.MonkeyPatch, update: object) -> None:
    monkeypatch.setattr(LazyAdam, "step", update)
    flat, adamw, lazy = new_optimizer()
    assert flat.table is not None
    for is_first in (True, False):
        before = state_of(flat, lazy)
        write_gradient(flat, (1, 2), 0)
        flat.table.grad[1, :3] = torch.tensor([math.nan, math.inf, -math.inf])
        is_skipped = torch.tensor(data=True)
        adamw.step(0.1, is_skipped)
        lazy.step(0.1, is_skipped)
        assert all(torch.equal(*pair) for pair in zip(state_of(flat, lazy), before, strict=True)), is_first
        write_gradient(flat, (1, 2), 0)
        adamw.step(0.1, ~is_skipped)
        lazy.step(0.1, ~is_skipped)


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
    assert not flat.table_of(adamw.exp_avg).any()
