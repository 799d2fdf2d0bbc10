"""The optimizer's step, unless the device itself finds that it must not be taken.

The fused AdamW reads a number on the device, `found_inf`, the door that `torch.amp.GradScaler` uses: where it is 1,
weights and state stay as they are, and nobody on the host has to know in time. On MPS the kernel is given the number
and never looks at it (`FusedAdamWKernelImpl.mm`), so there the old values are put back instead.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from engine.compute.cpu.adamw import FusedAdamW

Optimizer: TypeAlias = AdamW | FusedAdamW
"""What a device's parameters are updated by, or the processor's."""

IGNORE_FOUND_INF = frozenset({"mps"})
"""Devices whose fused AdamW updates all the same."""


class Update:
    """The update of one optimizer's weights, and whether it is under way."""

    def __init__(self, optimizer: Optimizer, device: torch.device) -> None:
        """Update by a fused optimizer, on the device of its weights."""
        self.optimizer = optimizer
        self.has_begun = False
        """True from the first change on; who takes the step says when all of it is done. If something is raised
        meanwhile, the weights may be new in part."""
        self._device = device

    def take_unless(self, is_refused: Tensor) -> None:
        """Take the optimizer's step unless `is_refused`, a () bool on the device; waits for nothing."""
        if self._device.type in IGNORE_FOUND_INF:
            self._take_and_restore(is_refused)
            return
        self.optimizer.grad_scale = None  # type: ignore[union-attr] # read by the fused step beside found_inf
        self.optimizer.found_inf = is_refused.float()  # type: ignore[union-attr] # GradScaler sets it the same way
        self.has_begun = True
        self.optimizer.step()
        self.optimizer.found_inf = None  # type: ignore[union-attr] # it would keep a graph's memory from the next graph

    @torch.no_grad()
    def _take_and_restore(self, is_refused: Tensor) -> None:
        """Take the step, then put back what was there before if it is refused."""
        before = [tensor.clone() for tensor in _changed_by(self.optimizer)]
        self.has_begun = True
        self.optimizer.step()
        for tensor, old in zip_longest(_changed_by(self.optimizer), before):
            kept = torch.zeros_like(tensor) if old is None else old  # the first step makes the state, all zeros
            tensor.copy_(torch.where(is_refused, kept, tensor))


def _changed_by(optimizer: Optimizer) -> list[Tensor]:
    """Return the weights and then the state of each, as far as there is one."""
    parameters: list[nn.Parameter] = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return [*parameters, *(value for each in parameters for value in optimizer.state.get(each, {}).values())]
