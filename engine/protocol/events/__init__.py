"""Events: what happened in a session, in order.

Each is a frozen dataclass of numbers and strings with an exact JSON form, so the same stream can be drawn, printed,
kept in a run's journal, replayed, or sent through a socket. Invariants of every stream, checked by
`tests/engine/session/stream_rules.py`:

1. It begins with `RunStarted` and ends with exactly one `RunFinished` or `RunFailed`; nothing follows that. A run that
   fails before it could start is a single `RunFailed`.
2. `step` never goes back, except through a `CheckpointLoaded`.
3. No step lies between `Paused` and `Resumed`; paused time counts in no rate and in no `elapsed_seconds`.
4. Every number is finite. A step with a non-finite loss or gradient leaves the weights unchanged, keeps its number, and
   is reported by a `Warned` in place of its loss.
5. Every string is harmless (`engine.text`): one line, printable, bounded.
6. `CheckpointSaved` comes after the file is in place under its final name.
"""

from __future__ import annotations

from typing import get_args

from engine.protocol import codec
from engine.protocol.events.base import BaseEvent, Novelty, RefusalReason
from engine.protocol.events.insight import (
    BaselinesMeasured,
    BatchRow,
    BatchShown,
    CharGates,
    CharPoint,
    EmbeddingsMapped,
    InsightEvent,
    OwnDraw,
    ReachMeasured,
    ReachMethod,
    SpeedLimitChanged,
    StepTaken,
    TextTraced,
    UnitHeld,
    UnitScore,
    UnitsScored,
)
from engine.protocol.events.run import (
    BatchSizeChanged,
    BudgetChanged,
    CommandRefused,
    FinishCancelled,
    FinishPlanned,
    IntervalsChanged,
    LearningRateChanged,
    Paused,
    Resumed,
    RunFailed,
    RunFinished,
    RunStarted,
    SamplingChanged,
    Warned,
)
from engine.protocol.events.sampling import (
    CharChance,
    CharRead,
    LadderSampled,
    LadderTweet,
    TextCompleted,
    TweetDelayed,
    TweetRead,
    TweetSampled,
)
from engine.protocol.events.training import (
    CheckpointLoaded,
    CheckpointSaved,
    EvalFinished,
    ModelChanged,
    RanksMeasured,
    StepsFinished,
    StepsThinned,
    StepTimes,
    ThreadsChanged,
)
from engine.text import MAX_CHARS, defused, is_harmless

Event = (
    RunStarted
    | StepsFinished
    | StepsThinned
    | EvalFinished
    | TweetSampled
    | TweetDelayed
    | LadderSampled
    | CheckpointSaved
    | CheckpointLoaded
    | ModelChanged
    | LearningRateChanged
    | BatchSizeChanged
    | IntervalsChanged
    | BudgetChanged
    | StepTimes
    | RanksMeasured
    | TextCompleted
    | TweetRead
    | StepTaken
    | SpeedLimitChanged
    | BatchShown
    | TextTraced
    | ReachMeasured
    | UnitsScored
    | UnitHeld
    | EmbeddingsMapped
    | BaselinesMeasured
    | FinishPlanned
    | FinishCancelled
    | ThreadsChanged
    | SamplingChanged
    | Paused
    | Resumed
    | Warned
    | CommandRefused
    | RunFinished
    | RunFailed
)
Unrecorded = TweetDelayed | TextCompleted | TweetRead | InsightEvent | BatchShown | BaselinesMeasured
"""Answers and progress for a screen that is looking: several a second, and of no use later.

Neither in the journal nor in `--json`.
"""
_TYPES: dict[str, type[Event]] = {event_type.__name__: event_type for event_type in get_args(Event)}
_HEAD = b'{"event":"'
_FREQUENT: dict[bytes, type[Event]] = {
    kind.__name__.encode(): kind for kind in (StepsFinished, StepsThinned, EvalFinished, TweetSampled, StepTimes)
}
"""Events of which a journal has many. Their types bound all numbers, so that they are decoded in one go."""


def to_json(event: Event) -> str:
    """Return the event as one line: `{"event": NAME, "step": N, "elapsed_seconds": S, ...}`."""
    return codec.encode(event, tag="event")


def from_json(line: str | bytes) -> Event:
    """Return the event that `line` encodes, its strings made harmless. Raises `engine.protocol.codec.DecodeError`.

    A journal may have been edited, and a socket's peer may be anyone: all events from outside come through here.
    """
    event = _frequent_event_in(line) if isinstance(line, bytes) else None
    return codec.decode_tagged(line, "event", _TYPES, None if _is_plain(line) else defused) if event is None else event


def _frequent_event_in(line: bytes) -> Event | None:
    """Return the event of a line as `to_json` writes it, if it is one of `_FREQUENT` and valid as it is; else None."""
    kind = _FREQUENT.get(line[len(_HEAD) : line.find(b'"', len(_HEAD))]) if line.startswith(_HEAD) else None
    try:
        event = None if kind is None else codec.decode(line, kind)
    except codec.DecodeError:
        return None
    if not isinstance(event, TweetSampled) or _is_plain(line):
        return event
    return event if is_harmless(event.text) and is_harmless(event.prime) else None


def _is_plain(line: str | bytes) -> bool:
    r"""Return whether no string of a line can be harmful: ASCII without a backslash or DEL, which JSON allows raw."""
    if len(line) > MAX_CHARS or not line.isascii():
        return False
    if isinstance(line, bytes):
        return b"\\" not in line and b"\x7f" not in line
    return "\\" not in line and "\x7f" not in line
