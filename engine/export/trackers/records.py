"""Maps the events of a run to records: scalars, texts and settings under the names that trackers expect. Pure.

The live writer and the export use it, so that both have the same points for the same events. A tracker needs no point
per step: the first `SINGLE_STEPS` steps are points of their own, later ones are averaged over a second of training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TypeAlias

from engine.protocol.events import (
    CheckpointLoaded,
    EvalFinished,
    Event,
    Paused,
    RunFailed,
    RunFinished,
    RunStarted,
    StepsFinished,
    StepsThinned,
    TweetSampled,
)

SINGLE_STEPS = 1000
"""The first steps of a run, in which the loss falls fastest, are a point each."""


@dataclass(frozen=True)
class _Base:
    step: int
    wall_time: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Scalars(_Base):
    """Values of one step, by tag."""

    values: dict[str, float]


@dataclass(frozen=True)
class Sample(_Base):
    """A tweet of the model, as Markdown that shows its text literally."""

    markdown: str


@dataclass(frozen=True)
class Settings(_Base):
    """What the run was started with, by flat names such as `model/hidden_size`."""

    run: str
    values: dict[str, bool | float | str]


@dataclass(frozen=True)
class TakenBack(_Base):
    """All records after `step` are void: the run continues from there."""


Record: TypeAlias = Scalars | Sample | Settings | TakenBack


@dataclass
class _Mean:
    """The sum over the steps since a second of training began."""

    second: int
    step: int = 0
    wall_time: float = 0.0
    num_steps: int = 0
    loss: float = 0.0
    grad_norm: float = 0.0
    learning_rate: float = 0.0
    chars_per_second: float = 0.0

    def add(self, event: StepsFinished | StepsThinned, wall_time: float, first: int = 0) -> None:
        """Add the steps of an event, of a report those from index `first` on."""
        if isinstance(event, StepsThinned):
            self.num_steps += event.num_steps
            self.loss += event.mean_loss * event.num_steps
            self.grad_norm += event.mean_grad_norm * event.num_steps
        else:
            self.num_steps += len(event.train_losses) - first
            self.loss += sum(event.train_losses[first:])
            self.grad_norm += sum(event.grad_norms[first:])
        self.step, self.wall_time = event.step, wall_time
        self.learning_rate, self.chars_per_second = event.learning_rate, event.chars_per_second

    def to_scalars(self) -> Scalars:
        """Return the mean, at the last of the steps."""
        loss, norm = self.loss / self.num_steps, self.grad_norm / self.num_steps
        return _train_scalars(self.step, self.wall_time, loss, norm, self.learning_rate, self.chars_per_second)


class RecordStream:
    """Turns the events of one run, in order, into records."""

    def __init__(self) -> None:
        self._mean: _Mean | None = None

    def records_of(self, event: Event, wall_time: float) -> Iterator[Record]:
        """Yield what the next event adds; it occurred at `wall_time`, in seconds since 1970."""
        match event:
            case StepsFinished():
                yield from self._steps(event, wall_time)
            case StepsThinned():
                yield from self._later_steps(event, wall_time, 0)
            case EvalFinished():
                values = {"val/loss": event.val_loss, "val/bits_per_char": event.bits_per_char}
                yield Scalars(event.step, wall_time, values)
            case TweetSampled():
                yield Sample(event.step, wall_time, _markdown(event))
            case RunStarted():
                yield from self.finish()
                yield TakenBack(event.step if event.resumed_from else -1, wall_time)
                yield _settings(event, wall_time)
            case CheckpointLoaded():
                yield from self.finish()
                yield TakenBack(event.step, wall_time)
            case Paused() | RunFinished() | RunFailed():
                yield from self.finish()

    def finish(self) -> Iterator[Record]:
        """Yield the mean of the steps that have none yet."""
        if self._mean is not None:
            yield self._mean.to_scalars()
            self._mean = None

    def _steps(self, event: StepsFinished, wall_time: float) -> Iterator[Record]:
        num_single = min(max(SINGLE_STEPS - event.first_step + 1, 0), len(event.train_losses))
        steps = zip(event.train_losses, event.grad_norms, event.learning_rates, strict=True)
        for step, (loss, norm, rate) in enumerate(islice(steps, num_single), event.first_step):
            yield _train_scalars(step, wall_time, loss, norm, rate, event.chars_per_second)
        if num_single < len(event.train_losses):
            yield from self._later_steps(event, wall_time, num_single)

    def _later_steps(self, event: StepsFinished | StepsThinned, wall_time: float, first: int) -> Iterator[Record]:
        second = int(event.elapsed_seconds)
        if self._mean is not None and self._mean.second != second:
            yield from self.finish()
        self._mean = self._mean or _Mean(second)
        self._mean.add(event, wall_time, first)


def remaining_records(first_pass: Iterable[Record], second_pass: Iterable[Record]) -> Iterator[Record]:
    """Yield the records of the second pass that none takes back; both passes are over the same journal."""
    last_steps = last_remaining_steps(record.step for record in first_pass if isinstance(record, TakenBack))
    for record in second_pass:
        if isinstance(record, TakenBack):
            if len(last_steps) > 1:  # else the journal has grown since the first pass
                last_steps.pop()
        elif record.step <= last_steps[-1]:
            yield record


def last_remaining_steps(returns: Iterable[int]) -> list[float]:
    """Return the last step that remains of what precedes each return to a step, in reverse, after infinity."""
    last_steps = [math.inf]
    for step in reversed(list(returns)):
        last_steps.append(min(step, last_steps[-1]))
    return last_steps


def _train_scalars(
    step: int, wall_time: float, loss: float, grad_norm: float, learning_rate: float, chars_per_second: float
) -> Scalars:
    values = {
        "train/loss": loss,
        "train/bits_per_char": loss / math.log(2),
        "train/grad_norm": grad_norm,
        "train/learning_rate": learning_rate,
        **({"train/chars_per_second": chars_per_second} if chars_per_second else {}),  # 0 is not measured yet
    }
    return Scalars(step, wall_time, values)


def _markdown(event: TweetSampled) -> str:
    """Return a tweet, which is one line, as an indented block: no character has a meaning there."""
    end = "" if event.reached_eos else ", cut off"
    facts = f"temperature {event.temperature:g}, {event.bits_per_char:.2f} bits per character, {event.novelty}{end}"
    return f"{facts}\n\n    {event.text}"


def _settings(event: RunStarted, wall_time: float) -> Settings:
    """Return the settings as trackers compare them: numbers and texts, without those that have no value."""
    groups = {"model": asdict(event.model), "training": asdict(event.training), "sampling": asdict(event.sampling)}
    values = {
        f"{group}/{name}": value
        for group, settings in groups.items()
        for name, value in settings.items()
        if isinstance(value, bool | int | float | str) and name != "preset_reason"
    }
    return Settings(event.step, wall_time, event.run, {"corpus": event.corpus, **values})
