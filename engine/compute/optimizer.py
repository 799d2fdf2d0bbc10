"""From the gradient to new weights, without waiting for the device.

`OptimizerStep` clips the gradient by its norm; `FusedAdamW` updates the weights, `RowRmsprop` the table of an n-gram
input, which has no part in norm and clipping, as each row is learned from few places; loss and norm go to the
`LossBuffer`. The device itself skips the update if the loss or the gradient is not finite. After a sum over several
processes all of them find the same numbers in it, and decide the same.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from engine.compute.cpu.ngrams import update_touched
from engine.config.run import TrainingConfig
from engine.model.parameters import FlatParameters, Table

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # as in torch.optim
IGNORE_FOUND_INF = frozenset({"mps"})
"""Devices whose kernel ignores `found_inf`."""


class FusedAdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) of all dense parameters at once, on flat buffers.

    The kernel is that of `torch.optim.AdamW(fused=True)`. But the first optimizer of `torch.optim` in a process imports
    torch's compiler, which is not used here: 820 modules, 70 MB and a second at the start of every run.

    The kernel reads a number on the device, `found_inf`, as `torch.amp.GradScaler` sets it: where it is 1, weights and
    state stay unchanged, and the host need not wait for the result. On MPS the kernel accepts the number but ignores it
    (`FusedAdamWKernelImpl.mm`), so there the old values are restored afterwards.
    """

    def __init__(self, flat: FlatParameters, weight_decay: float) -> None:
        """Optimize the dense weights of `flat` by their gradient, with zero moments at first."""
        self.flat = flat
        self._weight_decay = weight_decay
        self.step_count = torch.zeros((), device=flat.weights.device)
        """Steps that were not skipped, () float32."""
        self.exp_avg, self.exp_avg_sq = (torch.zeros_like(flat.dense_weights) for _ in range(2))  # (D,)

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor, is_skipped: Tensor) -> None:
        """Update all weights unless `is_skipped`, a () bool on the device; never waits for the device.

        As a CUDA graph records numbers as constants, `learning_rate` is a () float32 on the device there.
        """
        weights = self.flat.dense_weights
        ignores_found_inf = weights.device.type in IGNORE_FOUND_INF
        found_inf = None if ignores_found_inf else is_skipped.float()
        updated = (weights, self.exp_avg, self.exp_avg_sq, self.step_count) if ignores_found_inf else ()
        before = [tensor.clone() for tensor in updated]
        self.step_count.add_(1)
        torch._fused_adamw_(
            [weights],
            [self.flat.dense_grads],
            [self.exp_avg],
            [self.exp_avg_sq],
            [],
            [self.step_count],
            lr=learning_rate,
            beta1=BETA_1,
            beta2=BETA_2,
            weight_decay=self._weight_decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
            found_inf=found_inf,
        )
        if found_inf is not None:
            self.step_count.sub_(found_inf)  # a skipped step does not count
        for tensor, old in zip(updated, before, strict=True):
            tensor.copy_(torch.where(is_skipped, old, tensor))


NGRAM_RATE_FACTOR = 2.0
"""The table's learning rate is so many times that of the other weights (docs/recipes.md)."""
DECAY_EVERY = 64
"""Steps between two decays of a row."""


class RowRmsprop:
    """RMSprop for a table of which a step touches few rows, with one mean square per row.

    For each row of a step's contexts, with g its gradient, H numbers, and t the steps that were not skipped,

        v += (1 - beta) * (mean(g^2) - v)
        w -= rate * g / (sqrt(v / (1 - beta^t)) + epsilon)

    The other rows, and their v, do not change. A row's numbers are updated together, so they share a step size, as in
    the row-wise AdaGrad of large embedding tables (Mudigere et al. 2022, arXiv:2104.05158); and there is no momentum,
    which a row that occurs rarely would lose in the steps between. So the state is R numbers, where Adam's would be
    twice the table.

    **Weight decay** is decoupled as in AdamW, and acts on all rows alike, touched or not: the rarer a context, the
    smaller its row stays. At step t the rows whose number is t modulo `DECAY_EVERY` decay for as many steps at once,
    w *= (1 - rate * decay)^DECAY_EVERY, so that a step reads a small part of the table.

    On a CPU only the touched rows are read; on other devices masks do the same to all rows, so that a CUDA graph can
    record the update.
    """

    def __init__(self, table: Table, step_count: Tensor, decay: float) -> None:
        """Optimize `table` with this weight decay.

        AdamW, which is run first, counts the steps that are not skipped in `step_count`, ().
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
        table = self._table
        if table.weight.device.type != "cpu":
            self.update_by_masks(learning_rate, is_skipped)
            return
        if is_skipped.item():
            return
        rate, count = NGRAM_RATE_FACTOR * float(learning_rate), int(self._step_count)
        if self._decay:
            due = table.weight[count % DECAY_EVERY :: DECAY_EVERY]
            due.mul_(max(0.0, 1 - rate * self._decay) ** DECAY_EVERY)
        arrays = [each.numpy() for each in (table.weight, table.grad, table.touched, self.row_square)]
        constants = [rate, 1 - BETA_2, 1 - BETA_2**count, EPSILON]
        update_touched(*arrays, np.array(constants, dtype=arrays[0].dtype))

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


CAPACITY = 1024
"""Steps between two reports without an extra read; a report comes every tenth of a second."""


class LossBuffer:
    """Losses and gradient norms in step order, on the device until the host reads many at once. Not thread-safe.

    Reading one number from a GPU waits for all work queued before it. So each step writes its two numbers to a ring
    buffer on the device, at a position that the device increments itself, which lets a CUDA graph include the write.
    The numbers are selected, not scattered: torch's deterministic `scatter_` can't be recorded. The host only counts
    the steps.
    """

    def __init__(self, device: torch.device) -> None:
        self._ring = torch.zeros(2, CAPACITY, device=device)
        self._columns = torch.arange(CAPACITY, device=device)
        self._position = torch.zeros(1, dtype=torch.int64, device=device)  # column of the device's next write
        self._num_counted = 0
        self._num_unread = 0
        self._read: list[tuple[float, float]] = []

    def __len__(self) -> int:
        """Return the number of steps that `drain` would return."""
        return len(self._read) + self._num_unread

    def write(self, loss: Tensor, grad_norm: Tensor) -> None:
        """Append a step's numbers, () each, on the device, without waiting. The host must call `count` once a step."""
        column = torch.stack([loss, grad_norm]).to(self._ring.dtype).unsqueeze(1)  # (2, 1)
        torch.where(self._columns == self._position, column, self._ring, out=self._ring)
        self._position.add_(1).remainder_(CAPACITY)

    def count(self) -> None:
        """Count a step whose `write` the device has executed or queued."""
        self._num_counted += 1
        self._num_unread += 1
        if self._num_unread == CAPACITY:
            self._read_device()

    def _read_device(self) -> None:
        """Copy the unread steps to the host; waits for the device."""
        losses, norms = self._ring.tolist()
        for number in range(self._num_counted - self._num_unread, self._num_counted):
            self._read.append((losses[number % CAPACITY], norms[number % CAPACITY]))
        self._num_unread = 0

    def drain(self) -> tuple[list[float], list[float]]:
        """Return losses and gradient norms of all steps since the last call; waits for the device once."""
        if self._num_unread:
            self._read_device()
        losses, norms = [loss for loss, _ in self._read], [norm for _, norm in self._read]
        self._read = []
        return losses, norms

    def clear(self) -> None:
        """Discard all steps that have not been drained."""
        self._num_unread = 0
        self._read = []


class OptimizerStep:
    """The update of one model's weights, and whether a step can no longer be repeated."""

    def __init__(self, flat: FlatParameters, config: TrainingConfig) -> None:
        """Update the weights of `flat` by their gradient."""
        self._flat = flat
        self._max_grad_norm = config.max_grad_norm
        self.adamw = FusedAdamW(flat, config.weight_decay)
        self.table_optimizer = (
            None if flat.table is None else RowRmsprop(flat.table, self.adamw.step_count, config.ngram_decay)
        )
        """None without an n-gram input."""
        self.losses = LossBuffer(flat.weights.device)
        self.has_begun = False
        """True from the first changed weight, or from the sum over all processes, until the caller resets it after the
        step. If an exception is raised in between, the step can't be repeated. `run` sets it in Python, which a CUDA
        graph does not replay: there `DeviceStep` sets it, once the graph with the update has been launched."""

    @torch.no_grad()
    def run(self, learning_rate: float | Tensor) -> Tensor:
        """Update the weights by the gradient; return whether the step was skipped, () bool on the device."""
        grad_norm, loss = self._flat.grad_norm(), self._flat.loss
        if self._max_grad_norm:
            self._flat.dense_grads.mul_((self._max_grad_norm / (grad_norm + 1e-6)).clamp(max=1.0))  # as torch clips
        is_skipped: Tensor = ~(loss.isfinite() & grad_norm.isfinite())
        self.has_begun = True
        self.adamw.step(learning_rate, is_skipped)
        if self.table_optimizer is not None:
            self.table_optimizer.step(learning_rate, is_skipped)
        self.losses.write(loss, grad_norm)
        return is_skipped
