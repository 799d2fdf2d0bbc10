"""`LazyAdam`: Adam for a table of which a step touches few rows; the others, and their moments, do not change.

The update is that of `torch.optim.SparseAdam`, whose import is as slow as that of `torch.optim.AdamW`
(`engine.compute.adamw`). A row that occurs rarely would lose its momentum in the steps between, and its weights would
go on changing in them. On a CPU only the touched rows are read; on other devices masks do the same to all rows, so that
a CUDA graph can record the update.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from engine.compute.adamw import BETA_1, BETA_2, EPSILON, FusedAdamW
from engine.compute.cpu.ngram_kernels import update_touched
from engine.model.flat_parameters import Table

RATE_FACTOR = 2.5
"""The table's learning rate is so many times that of the other weights (docs/recipes.md)."""


class LazyAdam:
    """The optimizer of one table."""

    def __init__(self, table: Table, adamw: FusedAdamW) -> None:
        """Optimize `table`; moments and count of steps are in the buffers of `adamw`, which is run first."""
        self._table = table
        self._step_count = adamw.step_count
        self.exp_avg, self.exp_avg_sq = (adamw.flat.table_of(moment) for moment in (adamw.exp_avg, adamw.exp_avg_sq))

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor, is_skipped: Tensor) -> None:
        """Update the touched rows unless `is_skipped`, () bool; waits for nothing except on a CPU.

        `learning_rate` is that of the other weights, a number or () on the device.
        """
        if self._table.weight.device.type != "cpu":
            self.update_by_masks(learning_rate, is_skipped)
        elif not is_skipped.item():
            self._update_touched(float(learning_rate))

    def _update_touched(self, learning_rate: float) -> None:
        steps = float(self._step_count)
        step_size = RATE_FACTOR * learning_rate * math.sqrt(1 - BETA_2**steps) / (1 - BETA_1**steps)
        table = self._table
        weight, grad, touched, exp_avg, exp_avg_sq = (
            tensor.numpy() for tensor in (table.weight, table.grad, table.touched, self.exp_avg, self.exp_avg_sq)
        )
        constants = np.array([1 - BETA_1, 1 - BETA_2, EPSILON], dtype=weight.dtype)
        update_touched(weight, grad, touched, exp_avg, exp_avg_sq, step_size, constants)

    def update_by_masks(self, learning_rate: float | Tensor, is_skipped: Tensor) -> None:
        """Do the same on any device, without waiting for it."""
        table = self._table
        steps = self._step_count.to(table.weight.dtype)
        correction_1, correction_2 = (-torch.expm1(steps * math.log(beta)) for beta in (BETA_1, BETA_2))
        is_updated = ((table.touched > 0) & ~is_skipped).unsqueeze(1)  # (1 + R, 1)
        share = is_updated.to(table.weight.dtype)
        grad = torch.where(is_updated, table.grad, 0)  # a skipped step's may not be finite
        self.exp_avg.lerp_(grad, (1 - BETA_1) * share)
        self.exp_avg_sq.lerp_(grad.square_(), (1 - BETA_2) * share)
        step_size = RATE_FACTOR * learning_rate * correction_2.sqrt() / correction_1
        change = self.exp_avg_sq.sqrt().add_(EPSILON).reciprocal_().mul_(self.exp_avg)
        table.weight.sub_(change.mul_(share.mul_(torch.where(is_skipped, 0, step_size))))
