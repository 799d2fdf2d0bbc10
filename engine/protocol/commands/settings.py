"""Commands that change the settings of a run."""

from __future__ import annotations

from dataclasses import dataclass

from engine.config.run import SamplePacing
from engine.config.sampling import SamplingConfig


@dataclass(frozen=True, kw_only=True)
class SetSampling:
    """Change the sampling settings from the next character on, even within a tweet; answered by `SamplingChanged`."""

    sampling: SamplingConfig


@dataclass(frozen=True, kw_only=True)
class SetLearningRate:
    """Set the peak learning rate; answered by `LearningRateChanged`."""

    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class SetBatchSize:
    """Set the batch size, in tweets per step; answered by `BatchSizeChanged`."""

    batch_size: int


@dataclass(frozen=True, kw_only=True)
class SetIntervals:
    """Set how often to evaluate and to sample, in steps, 0 for never; answered by `IntervalsChanged`."""

    eval_every: int
    sample_every: int
    sample_pacing: SamplePacing = "interval"
    """As in `TrainingConfig`."""


@dataclass(frozen=True, kw_only=True)
class SetBudget:
    """Set where the run ends, counted from its first step; None is no limit. Answered by `BudgetChanged`.

    It replaces all three limits, and a planned finish. A schedule that depends on the budget continues at the share
    of the new one that is used: a cosine that had ended returns to a higher rate. A paused run stays paused. Refused
    where the run would end at once.
    """

    max_steps: int | None = None
    max_seconds: float | None = None
    epochs: float | None = None


@dataclass(frozen=True, kw_only=True)
class SetSpeedLimit:
    """Take at most that many steps per second, to watch; 0 lifts the limit. Answered by `SpeedLimitChanged`."""

    steps_per_second: float
