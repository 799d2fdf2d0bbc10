"""The learning rate of each step: warm-up, then a schedule; and the last stretch of a run that is asked to finish.

Pure functions of where the run stands, so that a resumed run takes the same steps. No torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.config.run import Schedule, TrainingConfig

FINAL_LEARNING_RATE_SHARE = 0.05
"""Where the cosine ends, as a share of the highest learning rate."""
COOLDOWN_SHARE = 0.3
"""The last part of a budget, over which the cooldown goes."""
MIN_FINISH_STEPS = 20


def cooldown(used: float) -> float:
    """Return the share of the learning rate that is left after this share of a cooldown, `used` (clipped to 0 to 1).

    1 - sqrt(x): most of it goes at once, and there is time to settle (Hägele et al. 2024, arXiv:2405.18392).
    """
    return 1 - math.sqrt(min(max(used, 0.0), 1.0))


@dataclass(frozen=True, kw_only=True)
class Finish:
    """The last stretch of a run that was asked to finish."""

    first_step: int
    """Steps that had been taken when it was asked."""
    last_step: int
    """Steps after which the run ends."""

    def rate_share(self, step: int) -> float:
        """Return the share of the learning rate that is left for the step after `step`."""
        return cooldown((step - self.first_step) / (self.last_step - self.first_step))


def finish_after(step: int) -> Finish:
    """Return the finish of a run that was asked for it after `step`: a tenth of the steps so far."""
    return Finish(first_step=step, last_step=step + max(MIN_FINISH_STEPS, math.ceil(step / 10)))


def learning_rate_at(config: TrainingConfig, step: int, progress: float | None, finish: Finish | None = None) -> float:
    """Return the learning rate of the step after `step`; `progress` is the share of the budget used, None without one.

    Linear warm-up, then as `config.schedule` says; times what a `finish` leaves of it.
    """
    rate = config.learning_rate * (1.0 if finish is None else finish.rate_share(step))
    if config.warmup_steps:
        rate *= min(1.0, (step + 1) / config.warmup_steps)
    return rate if progress is None else rate * _scheduled(config.schedule, progress)


def _scheduled(schedule: Schedule, progress: float) -> float:
    """Return the share of the highest learning rate that a schedule has at a share of the budget."""
    match schedule:
        case "constant":
            return 1.0
        case "cosine":  # Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts
            cosine = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
            return FINAL_LEARNING_RATE_SHARE + (1 - FINAL_LEARNING_RATE_SHARE) * cosine
        case "cooldown":
            return cooldown((progress - (1 - COOLDOWN_SHARE)) / COOLDOWN_SHARE)
