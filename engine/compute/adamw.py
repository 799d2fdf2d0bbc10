"""`FusedAdamW`: the update of `torch.optim.AdamW(fused=True)` on flat buffers, without the imports of `torch.optim`.

Both call the same kernel. But the first optimizer of `torch.optim` in a process imports torch's compiler, which is not
used here: 820 modules, 70 MB and a second at the start of every run.

The kernel reads a number on the device, `found_inf`, as `torch.amp.GradScaler` sets it: where it is 1, weights and
state stay unchanged, and the host need not wait for the result. On MPS the kernel accepts the number but ignores it
(`FusedAdamWKernelImpl.mm`), so there the old values are restored afterwards.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model.parameters import FlatParameters

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # as in torch.optim
IGNORE_FOUND_INF = frozenset({"mps"})
"""Devices whose kernel ignores `found_inf`."""


class FusedAdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) of all dense parameters at once."""

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
        if self.flat.weights.device.type not in IGNORE_FOUND_INF:
            self._update(learning_rate, is_skipped.float())
            return
        updated = (self.flat.dense_weights, self.exp_avg, self.exp_avg_sq, self.step_count)
        before = [tensor.clone() for tensor in updated]
        self._update(learning_rate, None)
        for tensor, old in zip(updated, before, strict=True):
            tensor.copy_(torch.where(is_skipped, old, tensor))

    def _update(self, learning_rate: float | Tensor, found_inf: Tensor | None) -> None:
        self.step_count.add_(1)
        torch._fused_adamw_(
            [self.flat.dense_weights],
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
