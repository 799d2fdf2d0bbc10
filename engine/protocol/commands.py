"""Commands: the wishes that a session looks at between two steps, and while it is paused.

Each is a frozen dataclass with an exact JSON form, like the events that answer it. A command that can't be followed is
answered by `CommandRefused` and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from engine.config.run import LADDER_TEMPERATURES, SamplingConfig
from engine.protocol import codec as wire


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Take no further step; answered by `Paused`."""


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Take steps again; answered by `Resumed`."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Save `latest` and end the run, ahead of all queued questions; answered by `RunFinished` with this reason."""

    reason: str = "stopped"
    unless_unsaved: bool = False
    """Whether to refuse, and go on, where `latest` can't be saved: somebody is there to be asked."""


@dataclass(frozen=True, kw_only=True)
class SetSampling:
    """Draw the very next character this way, also in a tweet half written; answered by `SamplingChanged`."""

    sampling: SamplingConfig


@dataclass(frozen=True, kw_only=True)
class SetLearningRate:
    """Make this the highest learning rate; answered by `LearningRateChanged`."""

    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class SetBatchSize:
    """Read that many tweets in a step; answered by `BatchSizeChanged`."""

    batch_size: int


@dataclass(frozen=True, kw_only=True)
class SetIntervals:
    """Evaluate and write a tweet every so many steps, 0 for never; answered by `IntervalsChanged`."""

    eval_every: int
    sample_every: int


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Let the learning rate fall to nothing over the next tenth, then end; answered by `FinishPlanned`."""


@dataclass(frozen=True, kw_only=True)
class CancelFinish:
    """Go on as before `Finish`; answered by `FinishCancelled`."""


@dataclass(frozen=True, kw_only=True)
class SampleNow:
    """Write a tweet now; answered by `TweetSampled`."""

    prime: str | None = None
    """What it begins with; None for what all tweets of the run begin with."""


@dataclass(frozen=True, kw_only=True)
class CompleteText:
    """Say how a text would go on, with the weights of this moment; answered by `TextCompleted`."""

    text: str
    request: int = 0
    """Any number, to tell the answer from others'."""


@dataclass(frozen=True, kw_only=True)
class ReadTweet:
    """Say what the model thinks of each character of a text, and what is most like it; answered by `TweetRead`."""

    text: str


@dataclass(frozen=True, kw_only=True)
class SampleLadder:
    """Write one tweet per temperature from the same seed and prime; answered by `LadderSampled`."""

    seed: int
    prime: str = ""
    temperatures: tuple[float, ...] = LADDER_TEMPERATURES


@dataclass(frozen=True, kw_only=True)
class SaveCheckpoint:
    """Save under a name; answered by `CheckpointSaved`, or refused where the name is taken and `replace` is false."""

    name: str
    replace: bool = False


@dataclass(frozen=True, kw_only=True)
class SaveLatest:
    """Save the run's own `latest` now; answered by `CheckpointSaved`, or by a `Warned` of the kind "disk"."""


@dataclass(frozen=True, kw_only=True)
class LoadCheckpoint:
    """Go on from a checkpoint, by name or path; answered by `CheckpointLoaded`."""

    name: str
    halves_rate: bool = False
    """Whether to go on at half the learning rate of the checkpoint; then `LearningRateChanged` follows."""


Command = (
    Pause
    | Resume
    | Stop
    | SetSampling
    | SetLearningRate
    | SetBatchSize
    | SetIntervals
    | Finish
    | CancelFinish
    | SampleNow
    | CompleteText
    | ReadTweet
    | SampleLadder
    | SaveCheckpoint
    | SaveLatest
    | LoadCheckpoint
)
_TYPES: dict[str, type[Command]] = {command_type.__name__: command_type for command_type in get_args(Command)}


def to_json(command: Command) -> str:
    """Return the command as one line: `{"command": NAME, ...}`."""
    return wire.encode(command, tag="command")


def from_json(line: str | bytes) -> Command:
    """Return the command that `line` is the JSON form of. Raises `engine.protocol.codec.WireError`."""
    return wire.decode_tagged(line, "command", _TYPES)
