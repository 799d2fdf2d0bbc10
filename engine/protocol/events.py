"""Events: what happened in a session, in order.

Each is a frozen struct of bounded numbers and strings with an exact JSON form: the same stream can be drawn, printed,
kept in a run's journal, replayed, or sent through a socket. Answers to questions about the model are in
`engine.protocol.insight`. Invariants of every stream, checked by `tests/engine/session/stream_rules.py`:

1. It begins with `RunStarted` and ends with exactly one `RunFinished` or `RunFailed`, the only event of a run that did
   not start; nothing follows that. After a `RankLostError` there is no last event.
2. `step` never goes back, except through a `CheckpointLoaded`.
3. No step occurs between `Paused` and `Resumed`; paused time counts in no rate and in no `elapsed_seconds`.
4. Every number is finite. A step with a non-finite loss or gradient leaves the weights unchanged, keeps its number, and
   is reported by a `Warned` in place of its loss.
5. Every string is harmless (`engine.text`): one line, printable, bounded.
6. `CheckpointSaved` comes after the file is in place under its final name.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from engine.config.run import ModelConfig, TrainingConfig, Tuning
from engine.config.sampling import SamplingConfig
from engine.protocol import codec
from engine.protocol.codec import Count, Integer, Number, Seconds, Settings, StepNumber
from engine.text import MAX_CHARS, WITHOUT_MARKS, sanitize

Novelty = Literal["new", "near-copy", "copy"]
RefusalReason = Literal["copy", "near-copy", "avoided word", "required text missing", "too short", "unfinished"]
"""Why a draft does not pass the filter of `SamplingConfig`, in the order in which the reasons are checked."""
WarningKind = Literal["", "not-finite", "disk", "disk-works", "outcome", "finished"]
"""What a warning is about, where the user can act on it: "disk" is a checkpoint or journal that can't be written,
"disk-works" ends that. Two are no warnings: "outcome" is what a run on a single tweet has learned, "finished" that a
run with a screen is paused because its budget is used up."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=True):
    """The fields of all events."""

    is_recorded: ClassVar[bool] = True
    """Whether it is written to the journal and `--json`. False for answers and progress that only a connected screen
    shows: several a second, and useless later."""
    step: StepNumber
    """Optimizer steps taken so far."""
    elapsed_seconds: Seconds
    """Seconds of training so far, pauses excluded; continues across resumes."""


class RunStarted(Event, frozen=True, kw_only=True):
    """Setup is complete; the first step follows."""

    run: str
    corpus: str
    num_train_tweets: Count
    num_val_tweets: Count
    vocab_size: Count
    num_parameters: Count
    device: str
    precision: str
    num_threads: Count
    tuning: Tuning
    model: ModelConfig
    training: TrainingConfig
    sampling: SamplingConfig
    resumed_from: str | None
    """The checkpoint that the weights were loaded from, if any."""
    is_warm_start: bool
    """Whether the weights are those of the model shipped for small corpora."""
    epochs: Number
    """Epochs completed before the start."""
    world_size: Count
    """Number of processes that train together."""
    backend: str
    """The library that sums their gradients, nccl or gloo; empty with one process."""
    started_at: Number
    """The time in seconds since 1970."""
    num_rows: Count = 0
    """Rows of the data, used or dropped; 0 where a single row is overfitted."""
    dropped: tuple[tuple[str, Count], ...] = ()
    """The number of rows that were dropped, by reason, the most frequent first."""


class Paused(Event, frozen=True):
    """Training is paused until `Resumed`."""


class Resumed(Event, frozen=True):
    """Training continues."""


class SettingsChanged(Event, frozen=True, kw_only=True):
    """Settings of the run changed, with those that a change implies; a changed budget cancels a planned finish."""

    settings: Settings
    """The new values by name. Sampling settings are used from the next character on, others from the next step on."""
    epochs: Number
    """Epochs completed so far."""


class FinishPlanned(Event, frozen=True, kw_only=True):
    """The run ends at `last_step`, and until there the learning rate is annealed to zero; null cancels that."""

    last_step: StepNumber | None


class Warned(Event, frozen=True, kw_only=True):
    """Something went wrong, and the run continues."""

    message: str
    kind: WarningKind = ""


class CommandRefused(Event, frozen=True, kw_only=True):
    """A command could not be executed and changed nothing."""

    command: str
    title: str
    detail: str
    hint: str
    settings: tuple[str, ...] = ()
    """Names of the settings that a `ChangeSettings` would have changed."""


class RunFinished(Event, frozen=True, kw_only=True):
    """The run reached its end or was stopped. The last event."""

    reason: str
    total_seconds: Number
    total_chars: Count
    """Characters trained on, over all epochs and resumes."""


class RunFailed(Event, frozen=True, kw_only=True):
    """The run ended with an error. The last event."""

    title: str
    """The kind of error: the title of its class in `engine.errors`."""
    detail: str
    hint: str


class StepsFinished(Event, frozen=True, kw_only=True):
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
        num_steps = self.step - self.first_step + 1
        if num_steps < 1 or any(
            len(each) != num_steps for each in (self.train_losses, self.grad_norms, self.learning_rates)
        ):
            raise ValueError(f"not one loss, norm and learning rate for each of {num_steps} steps")

    @property
    def learning_rate(self) -> float:
        """The learning rate of the last step."""
        return self.learning_rates[-1]


class StepsThinned(Event, frozen=True, kw_only=True):
    """A bucket of consecutive steps, in place of their `StepsFinished` in a journal."""

    first_step: StepNumber
    least_loss: Number
    """Losses are train losses, nats per character."""
    mean_loss: Number
    greatest_loss: Number
    least_grad_norm: Number
    """Gradient norms are those before clipping."""
    mean_grad_norm: Number
    greatest_grad_norm: Number
    learning_rate: Number
    """The learning rate of the last step."""
    chars_per_second: Number
    """The speed in the last `StepsFinished` of the bucket."""

    def __post_init__(self) -> None:
        """Raise `ValueError` unless there is a step."""
        if self.num_steps < 1:
            raise ValueError(f"the last step, {self.step}, is before the first, {self.first_step}")

    @property
    def num_steps(self) -> int:
        """Number of its steps."""
        return self.step - self.first_step + 1


class EvalFinished(Event, frozen=True, kw_only=True):
    """The model was evaluated on the validation tweets."""

    val_loss: Number
    """Nats per character, by the rule of `engine.training.evaluation`."""
    bits_per_char: Number
    is_best: bool
    is_early: bool = False
    """Whether it was measured on some of the tweets, before the first regular evaluation; then it is never the best."""


class StepTimes(Event, frozen=True, kw_only=True):
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
    """Waiting for the sum of the gradients of several processes."""
    num_graphs: Count | None = None
    """CUDA graphs that replace the launch of a step's kernels; None on a device without graphs."""


class RanksMeasured(Event, frozen=True, kw_only=True):
    """How the processes of a run shared the last seconds of training; one entry per rank in each field."""

    waiting_shares: tuple[Number, ...]
    """Share of the time, 0 to 1, spent waiting for the sum of the gradients; the slowest rank waits least."""
    devices: tuple[str, ...]
    hosts: tuple[str, ...]


class ThreadsChanged(Event, frozen=True, kw_only=True):
    """The steps run on another number of CPU threads or in another precision from now on, measured to be faster."""

    num_threads: Count
    precision: str
    message: str
    """New and former threads and precision, and the speedup."""


class CheckpointSaved(Event, frozen=True, kw_only=True):
    """A checkpoint is in place under its final name."""

    name: str
    path: str
    bits_per_char: Number | None
    """Bits per character of the last evaluation; None before the first."""
    weights_step: StepNumber
    """Step of its weights, which the run may have left behind by now."""


class CheckpointLoaded(Event, frozen=True, kw_only=True):
    """The run continues from a checkpoint; `step` is the checkpoint's."""

    name: str
    path: str
    bits_per_char: Number | None
    """Bits per character of its last evaluation; None before the first, and if its tweets are not the run's."""
    epochs: Number
    """Epochs completed by the checkpoint."""


class ModelChanged(Event, frozen=True, kw_only=True):
    """The checkpoint just loaded has a model of another shape."""

    model: ModelConfig
    num_parameters: Count


class TweetSampled(Event, frozen=True, kw_only=True):
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


class TweetDelayed(Event, frozen=True, kw_only=True):
    """The filter delays the next tweet: its drafts take over two seconds, or its share of the time is used up."""

    is_recorded: ClassVar[bool] = False
    num_drafts: Count
    """Finished drafts of the tweet; 0 while it waits."""
    max_drafts: Count
    """Most drafts of the tweet."""
    due_in_seconds: Number = 0.0
    """Training time until it is due, at most; 0 while its drafts are sampled."""


class LadderTweet(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of a temperature ladder."""

    temperature: Number
    text: str
    reached_eos: bool
    bits_per_char: Number
    novelty: Novelty


class LadderSampled(Event, frozen=True, kw_only=True):
    """The model sampled one tweet per temperature from the same seed and prime; answers `SampleLadder`."""

    prime: str
    seed: Integer
    rungs: tuple[LadderTweet, ...]


class CharChance(msgspec.Struct, frozen=True, kw_only=True):
    """A possible next character and its probability."""

    char: str
    """Empty for `<EOS>`."""
    probability: Number
    """At temperature 1."""


class CharRead(msgspec.Struct, frozen=True, kw_only=True):
    """What the model predicted at one character of a text."""

    char: str
    """Empty for `<EOS>`."""
    bits: Number
    """The cost of the character at temperature 1; an unknown one costs its `<UNK>` plus 20."""
    likeliest: tuple[CharChance, ...]
    """The most probable characters at this place, most probable first."""


class TextCompleted(Event, frozen=True, kw_only=True):
    """The model's continuation of a text; answers `CompleteText`."""

    is_recorded: ClassVar[bool] = False
    request: Integer
    """The `request` of the command."""
    completion: tuple[str, ...]
    """The continuation at the run's temperature; as characters, so that leading and trailing blanks survive."""
    reached_eos: bool
    """Whether the completion ends the tweet."""
    next_chars: tuple[CharChance, ...]
    """The most probable next characters."""
    unknown_chars: tuple[str, ...]
    """Characters of the text outside the vocabulary; if there are any, there is no completion."""
    bits_per_char: Number | None = None
    """Bits per character of the text itself, at temperature 1; None where it has no characters to predict."""


class TweetRead(Event, frozen=True, kw_only=True):
    """The model's predictions along a text; answers `ReadTweet`."""

    is_recorded: ClassVar[bool] = False
    text: str
    chars: tuple[CharRead, ...]
    """One per character, and one for `<EOS>`."""
    bits_per_char: Number
    copied_share: Number
    """The share, 0 to 1, of its characters in long runs that also occur in a training tweet."""
    nearest: str
    """The most similar training tweet; empty where none has anything in common with the text."""
    nearest_share: Number
    """Similarity to that tweet, 0 to 1."""


def from_json(line: str | bytes) -> Event:
    """Return the event that `line` encodes, its strings sanitized. Raises `engine.protocol.codec.DecodeError`.

    A journal may have been edited, and a socket's peer may be anyone: all events from outside come through here.
    """
    text = (line if isinstance(line, str) else line.decode(errors="replace")).replace('\\"', "")
    # most lines: no string of a short, printable line without combining marks and escapes but quotes can do harm
    is_harmless = "\\" not in text and text.isprintable() and len(text) <= MAX_CHARS
    is_harmless = is_harmless and (text.isascii() or WITHOUT_MARKS.fullmatch(text) is not None)
    return codec.decode_tagged(line, Event, None if is_harmless else sanitize)
