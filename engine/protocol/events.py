"""Events: the facts that a session tells, in the order in which they became true.

Each is a frozen dataclass of numbers and strings with an exact JSON form, so the same stream can be drawn, printed,
kept in a run's journal, replayed, or sent elsewhere. Invariants of every stream, checked by
`tests/engine/session/stream_rules.py`:

1. It begins with `RunStarted` and ends with exactly one `RunFinished` or `RunFailed`; nothing follows that. A run that
   fails before it could start is a single `RunFailed`.
2. `step` never goes back, except through a `CheckpointLoaded` that says so.
3. No step lies between `Paused` and `Resumed`; paused time counts in no rate and in no `elapsed_seconds`.
4. Every number is finite. A step whose loss or gradient was not leaves the weights as they were, keeps its number, and
   is told by a `Warned` in place of its loss.
5. Every string is harmless (`engine.text`): one line, printable, bounded.
6. `CheckpointSaved` comes after the file is in place under its final name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from engine.config.run import ModelConfig, SamplingConfig, TrainingConfig, Tuning
from engine.protocol import codec as wire
from engine.protocol.answers import TextCompleted, TweetRead
from engine.protocol.base_event import BaseEvent, Novelty, StepNumber
from engine.text import MAX_CHARS, defused

FORMAT_VERSION = 1
"""Of the vocabulary below: one higher whenever a reader of the version before could misunderstand it."""
WarningKind = Literal["", "not-finite", "disk", "journal", "disk-works"]
"""What a warning is about, where somebody can do something about it at once: a checkpoint or the journal can't be
written ("journal" in runs of earlier versions only); "disk-works" says that both can be again."""


@dataclass(frozen=True, kw_only=True)
class RunStarted(BaseEvent):
    """Everything is ready; the first step comes next."""

    run: str
    corpus: str
    num_train_tweets: int
    num_val_tweets: int
    vocab_size: int
    num_parameters: int
    device: str
    precision: str
    num_threads: int
    step_path: str = ""
    """What computes the steps (`engine.training.trainer`); empty in the journal of a version that did not say."""
    tuning: Tuning = ""
    model: ModelConfig
    training: TrainingConfig
    sampling: SamplingConfig
    resumed_from: str | None
    """The checkpoint that the weights came from, if any."""
    epochs: float | None = None
    """Epochs that have been passed through; None in the journal of a version that did not say."""
    format_version: int = FORMAT_VERSION
    """Of the events that follow."""


@dataclass(frozen=True, kw_only=True)
class StepsFinished(BaseEvent):
    """One or more steps without a gap; the last of them is `step`."""

    first_step: StepNumber
    train_losses: tuple[float, ...]
    """One per step, nats per character."""
    grad_norms: tuple[float, ...]
    """One per step, before clipping."""
    learning_rate: float
    """Of the last of these steps."""
    chars_per_second: float
    """Real targets only, no padding; over the last few seconds of training."""


@dataclass(frozen=True, kw_only=True)
class EvalFinished(BaseEvent):
    """The validation tweets were read."""

    val_loss: float
    """Nats per character, by the rule of `engine.training.evaluation`."""
    bits_per_char: float
    is_best: bool


@dataclass(frozen=True, kw_only=True)
class TweetSampled(BaseEvent):
    """The model wrote a tweet."""

    text: str
    temperature: float
    reached_eos: bool
    bits_per_char: float
    """The model's own, at temperature 1."""
    novelty: Novelty
    copied_share: float = 0.0
    """The share, 0 to 1, of its characters in long runs that stand in a training tweet."""
    char_bits: tuple[float, ...] = ()
    """How surprised the model was by each character, and by the end if it came to one; () where it was not kept."""
    prime: str = ""
    """What it was given to begin with."""


@dataclass(frozen=True, kw_only=True)
class LadderTweet:
    """One rung of a temperature ladder."""

    temperature: float
    text: str
    reached_eos: bool
    bits_per_char: float
    novelty: Novelty


@dataclass(frozen=True, kw_only=True)
class LadderSampled(BaseEvent):
    """The model wrote one tweet per temperature from the same seed and prime, as `SampleLadder` asked."""

    prime: str
    seed: int
    rungs: tuple[LadderTweet, ...]


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved(BaseEvent):
    """A checkpoint is in place."""

    name: str
    path: str
    bits_per_char: float | None
    """Of the last evaluation; None before the first."""


@dataclass(frozen=True, kw_only=True)
class CheckpointLoaded(BaseEvent):
    """The session goes on from a checkpoint; `step` is the checkpoint's."""

    name: str
    path: str
    bits_per_char: float | None
    epochs: float | None = None
    """Epochs that had been passed through; None in the journal of a version that did not say."""


@dataclass(frozen=True, kw_only=True)
class ModelChanged(BaseEvent):
    """The checkpoint just loaded holds a model of another shape."""

    model: ModelConfig
    num_parameters: int


@dataclass(frozen=True, kw_only=True)
class LearningRateChanged(BaseEvent):
    """The highest learning rate is another from now on."""

    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class BatchSizeChanged(BaseEvent):
    """A step reads another number of tweets from now on."""

    batch_size: int
    epochs: float
    """Epochs that have been passed through."""


@dataclass(frozen=True, kw_only=True)
class IntervalsChanged(BaseEvent):
    """Evaluations and tweets of the feed come at other intervals from now on, in steps; 0 is never."""

    eval_every: int
    sample_every: int


@dataclass(frozen=True, kw_only=True)
class StepTimes(BaseEvent):
    """What the last seconds of training went into, in seconds; what is in no part went into telling and waiting."""

    num_steps: int
    seconds: float
    """Since the last of these events, or the start; pauses, and measuring the number of threads, not counted."""
    data_seconds: float
    """Getting batches ready."""
    forward_seconds: float
    """On a device, where nobody waits for a single step to end: all of the steps."""
    backward_seconds: float
    optimizer_seconds: float
    sampling_seconds: float
    """Writing tweets, and answering questions about the model."""
    evaluation_seconds: float
    saving_seconds: float


@dataclass(frozen=True, kw_only=True)
class FinishPlanned(BaseEvent):
    """The learning rate falls to nothing from now on, and the run ends at `last_step`."""

    last_step: StepNumber


@dataclass(frozen=True, kw_only=True)
class FinishCancelled(BaseEvent):
    """The run goes on at its learning rate, and without that end."""


@dataclass(frozen=True, kw_only=True)
class ThreadsChanged(BaseEvent):
    """Another number of processor threads computes the steps from now on: that was measured to be faster."""

    num_threads: int
    message: str
    """What it was before, and how much faster it is now."""


@dataclass(frozen=True, kw_only=True)
class SamplingChanged(BaseEvent):
    """The next character is drawn another way."""

    sampling: SamplingConfig


@dataclass(frozen=True, kw_only=True)
class Paused(BaseEvent):
    """No step will be taken until `Resumed`."""


@dataclass(frozen=True, kw_only=True)
class Resumed(BaseEvent):
    """Steps are taken again."""


@dataclass(frozen=True, kw_only=True)
class Warned(BaseEvent):
    """Something is not as it should be, and the run goes on."""

    message: str
    kind: WarningKind = ""


@dataclass(frozen=True, kw_only=True)
class CommandRefused(BaseEvent):
    """A command could not be followed; nothing was changed by it."""

    command: str
    title: str
    detail: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class RunFinished(BaseEvent):
    """The run came to its end, or was told to stop. The last event."""

    reason: str
    total_seconds: float
    total_chars: int
    """Characters learned from, all epochs and resumed parts together."""


@dataclass(frozen=True, kw_only=True)
class RunFailed(BaseEvent):
    """The run could not go on. The last event."""

    title: str
    """The kind of error: the title of its class in `engine.errors`."""
    detail: str
    hint: str


Event = (
    RunStarted
    | StepsFinished
    | EvalFinished
    | TweetSampled
    | LadderSampled
    | CheckpointSaved
    | CheckpointLoaded
    | ModelChanged
    | LearningRateChanged
    | BatchSizeChanged
    | IntervalsChanged
    | StepTimes
    | TextCompleted
    | TweetRead
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
_TYPES: dict[str, type[Event]] = {event_type.__name__: event_type for event_type in get_args(Event)}


def is_known(name: str) -> bool:
    """Say whether an event of this version is called so."""
    return name in _TYPES


def to_json(event: Event) -> str:
    """Return the event as one line: `{"event": NAME, "step": N, "elapsed_seconds": S, ...}`."""
    return wire.encode(event, tag="event")


def from_json(line: str | bytes) -> Event:
    """Return the event that `line` is the JSON form of, its strings made harmless.

    Raises `engine.protocol.codec.WireError`.

    A journal may have been edited, and a socket may be anybody's: this is the one door through which they come in.
    """
    return wire.decode_tagged(line, "event", _TYPES, None if _is_plain(line) else defused)


def _is_plain(line: str | bytes) -> bool:
    """Say whether all of a line is harmless for sure: ASCII without an escape, or a DEL, which JSON takes as it is."""
    if len(line) > MAX_CHARS or not line.isascii():
        return False
    if isinstance(line, bytes):
        return b"\\" not in line and b"\x7f" not in line
    return "\\" not in line and "\x7f" not in line
