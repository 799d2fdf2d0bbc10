"""`StepReport`: losses, gradient norms and learning rates of some steps, read from the device together."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """The steps since the last report, in order; loss and gradient norm are NaN for a skipped step."""

    first_step: int
    train_losses: list[float]
    grad_norms: list[float]
    learning_rates: list[float]

    @classmethod
    def of(cls, first_step: int, losses: list[float], norms: list[float], rates: list[float]) -> StepReport:
        """Return the report of steps from `first_step` on: one whose loss or norm is not finite was skipped."""
        is_finite = [math.isfinite(loss) and math.isfinite(norm) for loss, norm in zip(losses, norms, strict=True)]
        return cls(
            first_step=first_step,
            train_losses=[loss if finite else math.nan for loss, finite in zip(losses, is_finite, strict=True)],
            grad_norms=[norm if finite else math.nan for norm, finite in zip(norms, is_finite, strict=True)],
            learning_rates=rates,
        )
