"""Commands: what a session executes between two steps, and while it is paused.

Each is a frozen dataclass with an exact JSON form, like the events that answer it. A command that can't be executed is
answered by `CommandRefused` and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from engine.config.run import SamplePacing
from engine.config.sampling import LADDER_TEMPERATURES, SamplingConfig
from engine.protocol import codec
from engine.protocol.insight import (
    HoldUnit,
    MapEmbeddings,
    MeasureBaselines,
    MeasureReach,
    ScoreUnits,
    ShowBatch,
    TraceText,
)


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Pause training; answered by `Paused`."""


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Continue training; answered by `Resumed`."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Save `latest` and end the run, ahead of all queued queries; answered by `RunFinished` with this reason."""

    reason: str = "stopped"
    unless_unsaved: bool = False
    """Whether to refuse where `latest` can't be saved, so that the user can decide."""


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Anneal the learning rate to zero over the next 10 % of the steps, then stop; answered by `FinishPlanned`."""


@dataclass(frozen=True, kw_only=True)
class CancelFinish:
    """Cancel a `Finish`; answered by `FinishCancelled`."""


@dataclass(frozen=True, kw_only=True)
class TakeStep:
    """Take one step and pause again; answered by `Resumed`, `StepsFinished`, `StepTaken` and `Paused`.

    Refused unless the run is paused.
    """


@dataclass(frozen=True, kw_only=True)
class SaveCheckpoint:
    """Save under a name; answered by `CheckpointSaved`. Refused where the name is taken and `replace` is false."""

    name: str
    replace: bool = False


@dataclass(frozen=True, kw_only=True)
class SaveLatest:
    """Save the run's own `latest` now; answered by `CheckpointSaved`, or by a `Warned` of the kind "disk"."""


@dataclass(frozen=True, kw_only=True)
class LoadCheckpoint:
    """Continue from a checkpoint, by name or path; answered by `CheckpointLoaded`."""

    name: str
    halves_rate: bool = False
    """Whether to continue at half the checkpoint's learning rate; `LearningRateChanged` follows then."""


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


@dataclass(frozen=True, kw_only=True)
class SampleNow:
    """Sample a tweet now; answered by `TweetSampled`."""

    prime: str | None = None
    """The text to begin with; None: the run's prime."""
    draw: int | None = None
    """That of a `CompleteText`, at least 0: with the same weights, the tweet begins with its completion. None: a new
    random tweet."""


@dataclass(frozen=True, kw_only=True)
class CompleteText:
    """Continue a text with the current weights; answered by `TextCompleted`."""

    text: str
    request: int = 0
    """Any number; identifies the answer."""
    draw: int = 0
    """At least 0; another one gives another random continuation."""


@dataclass(frozen=True, kw_only=True)
class ReadTweet:
    """Predict along a text, and find the training tweet nearest to it; answered by `TweetRead`."""

    text: str


@dataclass(frozen=True, kw_only=True)
class SampleLadder:
    """Sample one tweet per temperature from the same seed and prime; answered by `LadderSampled`."""

    seed: int
    prime: str = ""
    temperatures: tuple[float, ...] = LADDER_TEMPERATURES


Insight = TraceText | MeasureReach | ScoreUnits | HoldUnit | MapEmbeddings
"""Questions about the weights, answered while training goes on."""
Question = Insight | ShowBatch | MeasureBaselines
"""Commands that change nothing and whose answers are not journalled: those that a read-only client may send."""
Command = (
    Pause
    | Resume
    | Stop
    | SetSampling
    | SetLearningRate
    | SetBatchSize
    | SetIntervals
    | SetBudget
    | Finish
    | CancelFinish
    | SampleNow
    | CompleteText
    | ReadTweet
    | SampleLadder
    | TakeStep
    | SetSpeedLimit
    | ShowBatch
    | TraceText
    | MeasureReach
    | ScoreUnits
    | HoldUnit
    | MapEmbeddings
    | MeasureBaselines
    | SaveCheckpoint
    | SaveLatest
    | LoadCheckpoint
)
_TYPES: dict[str, type[Command]] = {command_type.__name__: command_type for command_type in get_args(Command)}


def to_json(command: Command) -> str:
    """Return the command as one line: `{"command": NAME, ...}`."""
    return codec.encode(command, tag="command")


def from_json(line: str | bytes) -> Command:
    """Return the command that `line` encodes. Raises `engine.protocol.codec.DecodeError`."""
    return codec.decode_tagged(line, "command", _TYPES)
