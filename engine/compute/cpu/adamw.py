"""`FusedAdamW`: the CPU update of `torch.optim.AdamW(fused=True)`, without the imports of `torch.optim`.

Both call the same kernel, so weights and state are equal bit for bit. But the first optimizer of `torch.optim` in a
process imports torch's compiler, which is not used here: 820 modules, 70 MB and a second at the start of every run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8  # as in torch.optim


class FusedAdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101). Attribute names are those of `torch.optim`."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        """Optimize `parameters`, which are on the CPU."""
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters), "lr": lr, "weight_decay": weight_decay}]
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {}
        self.grad_scale: Tensor | None = None
        self.found_inf: Tensor | None = None
        """If this () float is 1, a step changes nothing."""

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        parameters = [parameter for parameter in self.param_groups[0]["params"] if parameter.grad is not None]
        states = [self._state_of(parameter) for parameter in parameters]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            parameters,
            [parameter.grad for parameter in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=self.param_groups[0]["lr"],
            beta1=_BETA_1,
            beta2=_BETA_2,
            weight_decay=self.param_groups[0]["weight_decay"],
            eps=_EPSILON,
            amsgrad=False,
            maximize=False,
            grad_scale=self.grad_scale,
            found_inf=self.found_inf,
        )
        if self.found_inf is not None:
            torch._foreach_sub_(steps, [self.found_inf] * len(steps))  # a skipped step does not count

    def _state_of(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """Return step count and both moments of a parameter; zeros before its first step."""
        if parameter not in self.state:
            moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
            self.state[parameter] = {"step": torch.zeros(()), **moments}
        return self.state[parameter]
