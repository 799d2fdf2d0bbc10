"""Events of the run as a whole: its start and end, pauses, changed settings, warnings and refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.config.run import ModelConfig, SamplePacing, TrainingConfig, Tuning
from engine.config.sampling import SamplingConfig
from engine.protocol.events.base import BaseEvent, Count, StepNumber

WarningKind = Literal["", "not-finite", "disk", "disk-works", "outcome", "finished"]
"""What a warning is about, where the user can act on it: "disk" is a checkpoint or journal that can't be written,
"disk-works" ends that. Two are no warnings: "outcome" is what a run on a single tweet has learned, "finished" that a
run with a screen is paused because its budget is used up."""


@dataclass(frozen=True, kw_only=True)
class RunStarted(BaseEvent):
    """Setup is complete; the first step follows."""

    run: str
    corpus: str
    num_train_tweets: int
    num_val_tweets: int
    vocab_size: int
    num_parameters: int
    device: str
    precision: str
    num_threads: int
    tuning: Tuning
    model: ModelConfig
    training: TrainingConfig
    sampling: SamplingConfig
    resumed_from: str | None
    """The checkpoint that the weights were loaded from, if any."""
    is_warm_start: bool
    """Whether the weights are those of the model shipped for small corpora."""
    epochs: float
    """Epochs completed before the start."""
    world_size: int
    """Number of processes that train together."""
    backend: str
    """What sums their gradients: nccl or gloo; empty with one process."""
    started_at: float
    """The time in seconds since 1970."""
    num_rows: Count = 0
    """Rows of the data, used or dropped; 0 where a single row is overfitted."""
    dropped: tuple[tuple[str, Count], ...] = ()
    """The number of rows that were dropped, by reason, the most frequent first."""


@dataclass(frozen=True, kw_only=True)
class Paused(BaseEvent):
    """Training is paused until `Resumed`."""


@dataclass(frozen=True, kw_only=True)
class Resumed(BaseEvent):
    """Training continues."""


@dataclass(frozen=True, kw_only=True)
class LearningRateChanged(BaseEvent):
    """The peak learning rate changed; the schedule still applies."""

    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class BatchSizeChanged(BaseEvent):
    """The batch size changed, in tweets per step."""

    batch_size: int
    epochs: float
    """Epochs completed so far."""


@dataclass(frozen=True, kw_only=True)
class IntervalsChanged(BaseEvent):
    """The intervals of evaluations and samples changed, in steps; 0 is never."""

    eval_every: int
    sample_every: int
    sample_pacing: SamplePacing = "interval"


@dataclass(frozen=True, kw_only=True)
class BudgetChanged(BaseEvent):
    """The run now ends at these limits, None being no limit; a planned finish no longer ends it."""

    max_steps: int | None = None
    max_seconds: float | None = None
    epochs: float | None = None


@dataclass(frozen=True, kw_only=True)
class SamplingChanged(BaseEvent):
    """The sampling settings changed, from the next character on."""

    sampling: SamplingConfig


@dataclass(frozen=True, kw_only=True)
class FinishPlanned(BaseEvent):
    """The learning rate is annealed to zero from now on, and the run ends at `last_step`."""

    last_step: StepNumber


@dataclass(frozen=True, kw_only=True)
class FinishCancelled(BaseEvent):
    """The planned finish is cancelled: the schedule applies again."""


@dataclass(frozen=True, kw_only=True)
class Warned(BaseEvent):
    """Something went wrong, and the run continues."""

    message: str
    kind: WarningKind = ""


@dataclass(frozen=True, kw_only=True)
class CommandRefused(BaseEvent):
    """A command could not be executed and changed nothing."""

    command: str
    title: str
    detail: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class RunFinished(BaseEvent):
    """The run reached its end or was stopped. The last event."""

    reason: str
    total_seconds: float
    total_chars: int
    """Characters trained on, over all epochs and resumes."""


@dataclass(frozen=True, kw_only=True)
class RunFailed(BaseEvent):
    """The run ended with an error. The last event."""

    title: str
    """The kind of error: the title of its class in `engine.errors`."""
    detail: str
    hint: str
