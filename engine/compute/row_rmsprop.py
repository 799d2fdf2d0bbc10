"""`RowRmsprop`: RMSprop for a table of which a step touches few rows, with one mean square per row.

For each row of a step's contexts, with g its gradient, H numbers, and t the steps that were not skipped,

    v += (1 - beta) * (mean(g^2) - v)
    w -= rate * g / (sqrt(v / (1 - beta^t)) + epsilon)

The other rows, and their v, do not change. A row's numbers are updated together, so they share a step size, as in the
row-wise AdaGrad of large embedding tables (Mudigere et al. 2022, arXiv:2104.05158); and there is no momentum, which a
row that occurs rarely would lose in the steps between. So the state is R numbers, where Adam's would be twice the
table.

**Weight decay** is decoupled as in AdamW, and acts on all rows alike, touched or not: the rarer a context, the less its
row learns between two decays, and the smaller it stays. At step t the rows whose number is t modulo `DECAY_EVERY` decay
for as many steps at once, w *= (1 - rate * decay)^DECAY_EVERY, so that a step reads a small part of the table.

On a CPU only the touched rows are read; on other devices masks do the same to all rows, so that a CUDA graph can record
the update.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from engine.compute.adamw import BETA_2, EPSILON
from engine.compute.cpu.ngrams import update_touched
from engine.model.parameters import Table

NGRAM_RATE_FACTOR = 2.0
"""The table's learning rate is so many times that of the other weights (docs/recipes.md)."""
DECAY_EVERY = 64
"""Steps between two decays of a row."""


class RowRmsprop:
    """The optimizer of one table."""

    def __init__(self, table: Table, step_count: Tensor, decay: float) -> None:
        """Optimize `table`; AdamW, which is run first, counts the steps that are not skipped in `step_count`, ().

        `decay` is the decoupled weight decay.
        """
        self._table = table
        self._step_count = step_count
        self._decay = decay
        self.row_square = torch.zeros_like(table.touched)
        """v, (1 + R,)."""

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor, is_skipped: Tensor) -> None:
        """Update the touched rows unless `is_skipped`, () bool; waits for nothing except on a CPU.

        `learning_rate` is that of the other weights, a number or () on the device.
        """
        if self._table.weight.device.type != "cpu":
            self.update_by_masks(learning_rate, is_skipped)
        elif not is_skipped.item():
            rate = NGRAM_RATE_FACTOR * float(learning_rate)
            if self._decay:
                first = int(self._step_count) % DECAY_EVERY
                self._table.weight[first::DECAY_EVERY].mul_(max(0.0, 1 - rate * self._decay) ** DECAY_EVERY)
            self._update_touched(rate)

    def _update_touched(self, rate: float) -> None:
        table, correction = self._table, 1 - BETA_2 ** float(self._step_count)
        weight, grad, touched, row_square = (
            tensor.numpy() for tensor in (table.weight, table.grad, table.touched, self.row_square)
        )
        constants = [rate, 1 - BETA_2, correction, EPSILON]
        update_touched(weight, grad, touched, row_square, np.array(constants, dtype=weight.dtype))

    def update_by_masks(self, learning_rate: float | Tensor, is_skipped: Tensor) -> None:
        """Do the same on any device, without waiting for it."""
        table = self._table
        is_updated = (table.touched > 0) & ~is_skipped  # (1 + R,)
        share = is_updated.to(table.weight.dtype)
        grad = torch.where(is_updated.unsqueeze(1), table.grad, 0)  # a skipped step's may not be finite
        mean_square = torch.linalg.vector_norm(grad, dim=1).square() / grad.shape[1]
        self.row_square.lerp_(mean_square, (1 - BETA_2) * share)
        correction = -torch.expm1(self._step_count.to(share.dtype) * math.log(BETA_2))
        rate = torch.where(is_skipped, 0, NGRAM_RATE_FACTOR * learning_rate).to(share.dtype)
        if self._decay:
            kept = (1 - rate * self._decay).clamp(min=0) ** DECAY_EVERY
            numbers = torch.arange(len(table.weight), device=table.weight.device)
            is_due = numbers % DECAY_EVERY == self._step_count.long() % DECAY_EVERY  # (1 + R,)
            table.weight.mul_(torch.where(is_due, kept, 1).unsqueeze(1))
        factor = share * rate / ((self.row_square / correction).sqrt() + EPSILON)
        factor = torch.where(is_updated, factor, 0)  # also where a first, skipped step has no correction yet
        table.weight.sub_(grad.mul_(factor.unsqueeze(1)))
