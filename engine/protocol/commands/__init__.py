"""Commands: what a session executes between two steps, and while it is paused.

Each is a frozen dataclass with an exact JSON form, like the events that answer it. A command that can't be executed is
answered by `CommandRefused` and changes nothing.
"""

from __future__ import annotations

from typing import get_args

from engine.protocol import codec
from engine.protocol.commands.insight import (
    MAX_TRACED_CHARS,
    HoldUnit,
    MapEmbeddings,
    MeasureBaselines,
    MeasureReach,
    ScoreUnits,
    ShowBatch,
    TraceText,
)
from engine.protocol.commands.run import (
    CancelFinish,
    Finish,
    LoadCheckpoint,
    Pause,
    Resume,
    SaveCheckpoint,
    SaveLatest,
    Stop,
    TakeStep,
)
from engine.protocol.commands.sampling import (
    CompleteText,
    ReadTweet,
    SampleLadder,
    SampleNow,
)
from engine.protocol.commands.settings import (
    SetBatchSize,
    SetBudget,
    SetIntervals,
    SetLearningRate,
    SetSampling,
    SetSpeedLimit,
)

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
