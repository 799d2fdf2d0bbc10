"""`OptimizerStep`: one AdamW step that the device itself skips if the loss or the gradient is not finite.

The fused AdamW reads a number on the device, `found_inf`, as `torch.amp.GradScaler` sets it: where it is 1, weights and
optimizer state stay unchanged, and the host need not wait for the result. On MPS the kernel accepts the number but
ignores it (`FusedAdamWKernelImpl.mm`), so there the old values are restored afterwards.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from engine.compute.cpu.adamw import FusedAdamW

Optimizer: TypeAlias = AdamW | FusedAdamW
"""AdamW of a GPU, or of the CPU."""

IGNORE_FOUND_INF = frozenset({"mps"})
"""Devices whose fused AdamW ignores `found_inf`."""


class OptimizerStep:
    """The update of one optimizer's weights, and whether one has started."""

    def __init__(self, optimizer: Optimizer, device: torch.device) -> None:
        """Use a fused optimizer whose weights are on `device`."""
        self.optimizer = optimizer
        self.has_begun = False
        """True from the first changed weight until the caller resets it after the step. If an exception is raised in
        between, the weights may be partly updated."""
        self._device = device

    def apply_unless(self, is_skipped: Tensor) -> None:
        """Run the optimizer's step unless `is_skipped`, a () bool on the device; never waits for the device."""
        if self._device.type in IGNORE_FOUND_INF:
            self._apply_and_restore(is_skipped)
            return
        self.optimizer.grad_scale = None  # type: ignore[union-attr] # read by the fused step beside found_inf
        self.optimizer.found_inf = is_skipped.float()  # type: ignore[union-attr] # GradScaler sets it the same way
        self.has_begun = True
        self.optimizer.step()
        self.optimizer.found_inf = None  # type: ignore[union-attr] # it would keep a graph's memory from the next graph

    @torch.no_grad()
    def _apply_and_restore(self, is_skipped: Tensor) -> None:
        """Run the step, then restore weights and state where it is to be skipped."""
        before = [tensor.clone() for tensor in _updated_tensors(self.optimizer)]
        self.has_begun = True
        self.optimizer.step()
        for tensor, old in zip_longest(_updated_tensors(self.optimizer), before):
            kept = torch.zeros_like(tensor) if old is None else old  # the first step creates the state, from zeros
            tensor.copy_(torch.where(is_skipped, kept, tensor))


def _updated_tensors(optimizer: Optimizer) -> list[Tensor]:
    """Return the weights, then the optimizer state of each that has one."""
    parameters: list[nn.Parameter] = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return [*parameters, *(value for each in parameters for value in optimizer.state.get(each, {}).values())]
