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

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import msgspec

from engine.config.run import ModelConfig, SamplePacing, TrainingConfig, Tuning
from engine.config.sampling import SamplingConfig
from engine.protocol import codec
from engine.protocol.codec import LARGEST
from engine.text import MAX_CHARS, defused, is_harmless

Novelty = Literal["new", "near-copy", "copy"]
RefusalReason = Literal["copy", "near-copy", "avoided word", "required text missing", "too short", "unfinished"]
"""Why a draft does not pass the filter of `SamplingConfig`, in the order in which the reasons are checked."""
StepNumber = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""Checked when an event is decoded: a journal may have been edited, and arrays are allocated from it."""
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
"""Checked when an event is decoded: the numbers of the events of which a journal has many."""


@dataclass(frozen=True, kw_only=True)
class BaseEvent:
    """The fields of all events."""

    step: StepNumber
    """Optimizer steps taken so far."""
    elapsed_seconds: Annotated[float, msgspec.Meta(ge=0, le=1e18)]
    """Seconds of training so far, pauses excluded; continues across resumes."""


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


@dataclass(frozen=True, kw_only=True)
class StepsFinished(BaseEvent):
    """One or more consecutive steps; the last of them is `step`."""

    first_step: StepNumber
    train_losses: tuple[Number, ...]
    """One per step, nats per character."""
    grad_norms: tuple[Number, ...]
    """One per step, before clipping."""
    learning_rates: tuple[Number, ...]
    """One per step."""
    chars_per_second: Number
    """Targets without padding, over the last few seconds of training."""

    def __post_init__(self) -> None:
        """Raise `ValueError` unless there is a step, and one number per step: a journal may have been edited."""
        num_steps = _num_steps(self.first_step, self.step)
        if any(len(each) != num_steps for each in (self.train_losses, self.grad_norms, self.learning_rates)):
            raise ValueError(f"not one loss, norm and learning rate for each of {num_steps} steps")

    @property
    def learning_rate(self) -> float:
        """That of the last step."""
        return self.learning_rates[-1]


@dataclass(frozen=True, kw_only=True)
class StepsThinned(BaseEvent):
    """A bucket of consecutive steps, in place of their `StepsFinished` in a journal."""

    first_step: StepNumber
    least_loss: Number
    """Of the train losses, nats per character."""
    mean_loss: Number
    greatest_loss: Number
    least_grad_norm: Number
    """Of the gradient norms before clipping."""
    mean_grad_norm: Number
    greatest_grad_norm: Number
    learning_rate: Number
    """Of the last of these steps."""
    chars_per_second: Number
    """As in the last `StepsFinished` of the bucket."""

    def __post_init__(self) -> None:
        """Raise `ValueError` unless there is a step."""
        _num_steps(self.first_step, self.step)

    @property
    def num_steps(self) -> int:
        """Number of its steps."""
        return self.step - self.first_step + 1


def _num_steps(first_step: int, last_step: int) -> int:
    """Return the number of consecutive steps. Raises `ValueError` if there is none."""
    if last_step < first_step:
        raise ValueError(f"the last step, {last_step}, is before the first, {first_step}")
    return last_step - first_step + 1


@dataclass(frozen=True, kw_only=True)
class EvalFinished(BaseEvent):
    """The model was evaluated on the validation tweets."""

    val_loss: Number
    """Nats per character, by the rule of `engine.training.evaluation`."""
    bits_per_char: Number
    is_best: bool
    is_early: bool = False
    """Whether it was measured on some of the tweets, before the first regular evaluation; then it is never the best."""


@dataclass(frozen=True, kw_only=True)
class StepTimes(BaseEvent):
    """Time spent on each part of the last seconds of training; the rest is reporting and idle time."""

    num_steps: Count
    seconds: Number
    """Since the previous of these events, or the start; pauses and thread measurements excluded."""
    data_seconds: Number
    """Preparing batches."""
    forward_seconds: Number
    """On a GPU, whose steps run asynchronously: all of the step."""
    backward_seconds: Number
    optimizer_seconds: Number
    sampling_seconds: Number
    """Sampling tweets, and answering queries about the model."""
    evaluation_seconds: Number
    saving_seconds: Number
    """Copying the weights for a checkpoint."""
    waiting_seconds: Number = 0.0
    """Of several processes: waiting for the sum of their gradients."""
    num_graphs: Count | None = None
    """CUDA graphs that replace the launch of a step's kernels; None on a device without graphs."""


@dataclass(frozen=True, kw_only=True)
class RanksMeasured(BaseEvent):
    """How the processes of a run shared the last seconds of training; one entry per rank in each field."""

    waiting_shares: tuple[float, ...]
    """Share of the time, 0 to 1, spent waiting for the sum of the gradients; the slowest rank waits least."""
    devices: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ThreadsChanged(BaseEvent):
    """The steps run on another number of CPU threads or in another precision from now on, measured to be faster."""

    num_threads: int
    precision: str
    message: str
    """Both, those before, and the speedup."""


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved(BaseEvent):
    """A checkpoint is in place under its final name."""

    name: str
    path: str
    bits_per_char: float | None
    """Of the last evaluation; None before the first."""
    weights_step: int
    """Step of its weights, which the run may have left behind by now."""


@dataclass(frozen=True, kw_only=True)
class CheckpointLoaded(BaseEvent):
    """The run continues from a checkpoint; `step` is the checkpoint's."""

    name: str
    path: str
    bits_per_char: float | None
    """Of its last evaluation; None before the first, and for a checkpoint of other tweets than the run's."""
    epochs: float
    """Epochs completed by the checkpoint."""


@dataclass(frozen=True, kw_only=True)
class ModelChanged(BaseEvent):
    """The checkpoint just loaded has a model of another shape."""

    model: ModelConfig
    num_parameters: int


@dataclass(frozen=True, kw_only=True)
class TweetSampled(BaseEvent):
    """The model sampled a tweet."""

    text: str
    """Every sampled character, blanks at the ends included."""
    temperature: Number
    reached_eos: bool
    bits_per_char: Number
    """At temperature 1."""
    novelty: Novelty
    copied_share: Number = 0.0
    """The share, 0 to 1, of its characters in long runs that also occur in a training tweet."""
    char_bits: tuple[Number, ...] = ()
    """Bits of each character, and of `<EOS>` if it was reached; () where they are not recorded."""
    prime: str = ""
    """The text that it begins with."""
    num_drafts: Count = 1
    """Tweets sampled until this one was chosen, itself included."""
    refused: tuple[tuple[RefusalReason, Count], ...] = ()
    """The number of drafts that the filter refused, by the first reason of each."""
    unmet: tuple[RefusalReason, ...] = ()
    """The reasons against this tweet, where no draft passed the filter and it came nearest; else ()."""


@dataclass(frozen=True, kw_only=True)
class TweetDelayed(BaseEvent):
    """The filter delays the next tweet: its drafts take over two seconds, or its share of the time is used up."""

    num_drafts: Count
    """Finished drafts of the tweet; 0 while it waits."""
    max_drafts: Count
    """Its drafts at most."""
    due_in_seconds: Number = 0.0
    """Training time until it is due, at most; 0 while its drafts are sampled."""


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
    """The model sampled one tweet per temperature from the same seed and prime; answers `SampleLadder`."""

    prime: str
    seed: int
    rungs: tuple[LadderTweet, ...]


@dataclass(frozen=True, kw_only=True)
class CharChance:
    """A possible next character and its probability."""

    char: str
    """Empty for `<EOS>`."""
    probability: float
    """At temperature 1."""


@dataclass(frozen=True, kw_only=True)
class CharRead:
    """What the model predicted at one character of a text."""

    char: str
    """Empty for `<EOS>`."""
    bits: float
    """Its cost at temperature 1; an unknown character costs its `<UNK>` plus 20."""
    likeliest: tuple[CharChance, ...]
    """The most probable characters at this place, most probable first."""


@dataclass(frozen=True, kw_only=True)
class TextCompleted(BaseEvent):
    """The model's continuation of a text; answers `CompleteText`."""

    request: int
    """As in the command."""
    completion: tuple[str, ...]
    """The continuation at the run's temperature; as characters, so that leading and trailing blanks survive."""
    reached_eos: bool
    """Whether the completion ends the tweet."""
    next_chars: tuple[CharChance, ...]
    """The most probable next characters."""
    unknown_chars: tuple[str, ...]
    """Characters of the text outside the vocabulary; if there are any, there is no completion."""
    bits_per_char: float | None = None
    """Of the text itself, at temperature 1; None where it has no characters to predict."""


@dataclass(frozen=True, kw_only=True)
class TweetRead(BaseEvent):
    """The model's predictions along a text; answers `ReadTweet`."""

    text: str
    chars: tuple[CharRead, ...]
    """One per character, and one for `<EOS>`."""
    bits_per_char: float
    copied_share: float
    """The share, 0 to 1, of its characters in long runs that also occur in a training tweet."""
    nearest: str
    """The most similar training tweet; empty where none has anything in common with the text."""
    nearest_share: float
    """Similarity to that tweet, 0 to 1."""


from engine.protocol.insight import (  # noqa: E402 - those derive from `BaseEvent`
    BaselinesMeasured,
    BatchShown,
    EmbeddingsMapped,
    InsightEvent,
    ReachMeasured,
    SpeedLimitChanged,
    StepTaken,
    TextTraced,
    UnitHeld,
    UnitsScored,
)

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
