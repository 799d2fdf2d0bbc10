"""`OptimizerStep`: from the gradient to new weights, without waiting for the device.

The gradient is clipped by its norm, AdamW updates the weights, and loss and norm go to the `LossBuffer`. The table of
an n-gram input has a `RowRmsprop` of its own, and no part in norm and clipping: each row is learned from few places.
The device itself skips the update if the loss or the gradient is not finite. After a sum over several processes all of
them find the same numbers in it, and decide the same.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.compute.adamw import FusedAdamW
from engine.compute.loss_buffer import LossBuffer
from engine.compute.row_rmsprop import RowRmsprop
from engine.model.parameters import FlatParameters


class OptimizerStep:
    """The update of one model's weights, and whether a step can no longer be repeated."""

    def __init__(
        self,
        flat: FlatParameters,
        adamw: FusedAdamW,
        losses: LossBuffer,
        *,
        max_grad_norm: float,
        ngram_decay: float = 0.0,
    ) -> None:
        """Update the weights of `flat`; infinity for `max_grad_norm` clips nothing, `ngram_decay` is of the table."""
        self._flat = flat
        self._adamw = adamw
        self.of_table = None if flat.table is None else RowRmsprop(flat.table, adamw.step_count, ngram_decay)
        """None without an n-gram input."""
        self._losses = losses
        self._max_grad_norm = max_grad_norm
        self.has_begun = False
        """True from the first changed weight, or from the sum over all processes, until the caller resets it after the
        step. If an exception is raised in between, the step can't be repeated."""

    @torch.no_grad()
    def run(self, learning_rate: float | Tensor) -> Tensor:
        """Update the weights by the gradient; return whether the step was skipped, () bool on the device."""
        grad_norm, loss = self._flat.grad_norm(), self._flat.loss
        if self._max_grad_norm < math.inf:
            self._flat.dense_grads.mul_((self._max_grad_norm / (grad_norm + 1e-6)).clamp(max=1.0))  # as torch clips
        is_skipped: Tensor = ~(loss.isfinite() & grad_norm.isfinite())
        self.has_begun = True
        self._adamw.step(learning_rate, is_skipped)
        if self.of_table is not None:
            self.of_table.step(learning_rate, is_skipped)
        self._losses.write(loss, grad_norm)
        return is_skipped
