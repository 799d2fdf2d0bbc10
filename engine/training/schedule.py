"""The schedule of a run: the learning rate of each step, the used share of the budget, what is due at a step.

Pure functions of the step, the epochs and the seconds so far, so that a resumed run does the same. No torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.config.run import BUDGETS, Schedule, TrainingConfig

FINAL_LEARNING_RATE_SHARE = 0.05
"""End of the cosine, as a share of the peak learning rate."""
COOLDOWN_SHARE = 0.3
"""The last part of a budget, in which the cooldown takes place."""
MIN_FINISH_STEPS = 20
_FIRST_EARLY_EVALUATION = 64


def is_due(step: int, interval: int, last_step: int) -> bool:
    """Return whether what happens every `interval` steps (0: never), last at `last_step`, is due at `step`."""
    return interval > 0 and step % interval == 0 and step != last_step


def is_early_evaluation(training: TrainingConfig, step: int) -> bool:
    """Return whether `step` has an evaluation on some of the tweets: at powers of two before the first regular one."""
    is_before_regular = _FIRST_EARLY_EVALUATION <= step < training.eval_every
    return training.early_eval_tweets > 0 and is_before_regular and step & (step - 1) == 0


def next_evaluation(training: TrainingConfig, step: int) -> int:
    """Return the first step from `step` on, but not 0, with an evaluation; `eval_every` is not 0."""
    regular = max(math.ceil(step / training.eval_every), 1) * training.eval_every
    early = max(_FIRST_EARLY_EVALUATION, 1 << max(step - 1, 0).bit_length())
    return early if is_early_evaluation(training, early) else regular


def is_sample_step(training: TrainingConfig, step: int) -> bool:
    """Return whether a tweet is to be sampled at `step` by the step alone.

    The model changes fast at first, so the intervals of "doubling" and "seconds" start at a step and double.
    """
    interval = training.sample_every
    is_power_of_two = step & (step - 1) == 0
    match training.sample_pacing:
        case _ if not interval:
            return False
        case "interval":
            return step % interval == 0
        case "doubling":
            return step % interval == 0 or (is_power_of_two and step < interval)
        case "seconds":
            return is_power_of_two  # 0 included


def is_due_when_overfitting(step: int, last_step: int) -> bool:
    """Return whether a single tweet, sampled last at `last_step`, is sampled at `step`: 1, 2, 4 and every 4 steps."""
    return (step in {1, 2} or step % 4 == 0) and step != last_step


def _used_shares(training: TrainingConfig, steps: int, epochs: float, seconds: float) -> dict[str, float]:
    """Return the used share of each budget that is set."""
    limits = (training.max_steps, training.epochs, training.max_seconds)
    used = (steps, epochs, seconds)
    return {name: part / limit for name, limit, part in zip(BUDGETS, limits, used, strict=True) if limit is not None}


def budget_used(training: TrainingConfig, steps: int, epochs: float, seconds: float) -> float | None:
    """Return the largest used share of any budget, at most 1; None if none is set."""
    shares = _used_shares(training, steps, epochs, seconds)
    return min(1.0, max(shares.values())) if shares else None


def exhausted_budget(training: TrainingConfig, steps: int, epochs: float, seconds: float) -> str | None:
    """Return the name of a budget that is used up, or None."""
    shares = _used_shares(training, steps, epochs, seconds)
    return next((name for name, share in shares.items() if share >= 1), None)


def cooldown(used: float) -> float:
    """Return the factor of the learning rate after this share of a cooldown, `used` (clipped to 0 to 1).

    1 - sqrt(x): it falls fast at first and leaves time to settle (Hägele et al. 2024, arXiv:2405.18392).
    """
    return 1 - math.sqrt(min(max(used, 0.0), 1.0))


@dataclass(frozen=True, kw_only=True)
class Finish:
    """The last steps of a run, over which the learning rate is annealed to zero; none where the run ends at once."""

    first_step: int
    """Steps taken before it was planned."""
    last_step: int
    """Steps after which the run ends."""

    def rate_factor(self, step: int) -> float:
        """Return the factor of the learning rate for the step after `step`."""
        return cooldown((step - self.first_step) / (self.last_step - self.first_step))


def finish_after(step: int) -> Finish:
    """Return the finish requested after `step`: a tenth of the steps so far, at least `MIN_FINISH_STEPS`."""
    return Finish(first_step=step, last_step=step + max(MIN_FINISH_STEPS, math.ceil(step / 10)))


def learning_rate_at(config: TrainingConfig, step: int, used: float | None, finish: Finish | None = None) -> float:
    """Return the learning rate of the step after `step`; `used` is the used share of the budget, None without one.

    Linear warm-up, then `config.schedule`; a `finish` multiplies it.
    """
    rate = config.learning_rate * (1.0 if finish is None else finish.rate_factor(step))
    if config.warmup_steps:
        rate *= min(1.0, (step + 1) / config.warmup_steps)
    return rate if used is None else rate * _schedule_factor(config.schedule, used)


def _schedule_factor(schedule: Schedule, used: float) -> float:
    """Return the factor of the peak learning rate at a used share of the budget."""
    match schedule:
        case "constant":
            return 1.0
        case "cosine":  # Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts
            cosine = (1 + math.cos(math.pi * min(used, 1.0))) / 2
            return FINAL_LEARNING_RATE_SHARE + (1 - FINAL_LEARNING_RATE_SHARE) * cosine
        case "cooldown":
            return cooldown((used - (1 - COOLDOWN_SHARE)) / COOLDOWN_SHARE)
