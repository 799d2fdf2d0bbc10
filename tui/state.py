"""`RunView`: all that the screen knows of a run, and `apply`, the pure reducer that folds events into it.

A view is a value: the screen keeps the latest and hands it to widgets, which draw it. The same events give the same
view whether they come from a live session or from a run's journal (`replay`). Knows no framework and no thread.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from engine.config import ModelConfig, SamplingConfig
from engine.events import (
    CheckpointLoaded,
    CheckpointSaved,
    CommandRefused,
    EvalFinished,
    Event,
    FinishCancelled,
    FinishPlanned,
    LadderSampled,
    LearningRateChanged,
    ModelChanged,
    Paused,
    Resumed,
    RunFailed,
    RunFinished,
    RunStarted,
    SamplingChanged,
    StepsFinished,
    ThreadsChanged,
    TweetSampled,
    Warned,
    from_json,
)
from engine.wire import WireError
from tui.series import Series

Phase = Literal["starting", "training", "paused", "finished", "failed"]

MAX_TWEETS = 10_000
MAX_WARNINGS = 100
_PACE_SECONDS = 20.0
"""Training time over which the pace is averaged: short enough to follow a change, long enough for a steady ETA."""


@dataclass(frozen=True, kw_only=True)
class ValPoint:
    """One evaluation."""

    step: int
    val_loss: float
    bits_per_char: float
    is_best: bool


@dataclass(frozen=True, kw_only=True)
class RunView:
    """A run as it stands after some of its events. `RunView()` is the view before the first."""

    phase: Phase = "starting"
    started: RunStarted | None = None
    model: ModelConfig | None = None
    num_parameters: int = 0
    num_threads: int = 0
    finishes_at: int | None = None
    """The step at which the run ends that was asked to finish."""
    step: int = 0
    elapsed_seconds: float = 0.0
    learning_rate: float = 0.0
    chars_per_second: float = 0.0
    steps_per_second: float = 0.0
    """Over about the last 20 seconds of training; 0 before the first step of this session."""
    paced_until_seconds: float = 0.0
    """The training time that `steps_per_second` has taken in, evaluations and samples included."""
    train_losses: Series = field(default_factory=Series.empty)
    """Nats per character."""
    val_points: tuple[ValPoint, ...] = ()
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    tweets: tuple[TweetSampled, ...] = ()
    """The latest of the run; all of them are in its journal."""
    num_tweets: int = 0
    """All tweets ever applied; never goes back, so that a feed can tell how many are new."""
    ladder: LadderSampled | None = None
    saved: CheckpointSaved | None = None
    warnings: tuple[Warned, ...] = ()
    ended: RunFinished | RunFailed | None = None

    @property
    def is_finishing(self) -> bool:
        """Whether the run is in its last stretch."""
        return self.finishes_at is not None and self.step < self.finishes_at

    @property
    def steps_per_epoch(self) -> int | None:
        """Steps that read every training tweet once."""
        if self.started is None:
            return None
        return max(math.ceil(self.started.num_train_tweets / self.started.training.batch_size), 1)

    @property
    def epoch(self) -> float:
        """Passes over the training tweets so far."""
        return self.step / self.steps_per_epoch if self.steps_per_epoch else 0.0

    @property
    def smoothed_loss(self) -> float | None:
        """Train loss now, noise and spikes aside, in nats per character."""
        return self.train_losses.typical

    @property
    def smoothed_bits(self) -> float | None:
        """Train loss now, noise and spikes aside, in bits per character."""
        return None if self.smoothed_loss is None else self.smoothed_loss / math.log(2)

    @property
    def last_val(self) -> ValPoint | None:
        """The latest evaluation."""
        return self.val_points[-1] if self.val_points else None

    @property
    def best(self) -> ValPoint | None:
        """The best evaluation of this run."""
        return next((point for point in reversed(self.val_points) if point.is_best), None)

    @property
    def eta_seconds(self) -> float | None:
        """Training seconds until the first budget is used up; None without a budget, or before the pace is known."""
        if self.phase in {"finished", "failed"}:
            return None
        waits = [max(limit - self.elapsed_seconds, 0.0) for limit in self._limits_in_seconds()]
        if self.steps_per_second > 0:
            waits += [max(limit - self.step, 0) / self.steps_per_second for limit in self._limits_in_steps()]
        return min(waits, default=None)

    @property
    def progress(self) -> float | None:
        """Share of the budget used, 0 to 1, of the one that is used up most; None without a budget."""
        shares = [self.elapsed_seconds / limit for limit in self._limits_in_seconds()]
        shares += [self.step / limit for limit in self._limits_in_steps()]
        return min(max(shares), 1.0) if shares else None

    @property
    def has_budget(self) -> bool:
        """Whether the run ends by itself."""
        return bool(self._limits_in_seconds() or self._limits_in_steps())

    def _limits_in_seconds(self) -> list[float]:
        """Return the budget in training seconds, if there is one."""
        limit = self.started.training.max_seconds if self.started else None
        return [] if limit is None else [limit]

    def _limits_in_steps(self) -> list[float]:
        """Return the budgets in steps: of steps, of epochs, and the end of the last stretch."""
        if self.started is None or self.steps_per_epoch is None:
            return []
        training = self.started.training
        by_epochs = None if training.epochs is None else training.epochs * self.steps_per_epoch
        return [limit for limit in (training.max_steps, by_epochs, self.finishes_at) if limit is not None]


def apply(view: RunView, event: Event) -> RunView:  # noqa: C901, PLR0912 - one case per kind of event
    """Return the view after `event`. Pure; takes any event in any order without raising."""
    if not isinstance(event, RunFailed):  # a failure can come from outside the session, which knows no step
        view = replace(view, step=event.step, elapsed_seconds=event.elapsed_seconds)
    match event:
        case RunStarted():
            return _begun(view, event)
        case StepsFinished():
            return _stepped(view, event)
        case EvalFinished(step=step, val_loss=val_loss, bits_per_char=bits, is_best=is_best):
            point = ValPoint(step=step, val_loss=val_loss, bits_per_char=bits, is_best=is_best)
            return replace(view, val_points=(*view.val_points, point))
        case TweetSampled():
            tweets = (*view.tweets[-(MAX_TWEETS - 1) :], event)
            return replace(view, tweets=tweets, num_tweets=view.num_tweets + 1)
        case LadderSampled():
            return replace(view, ladder=event)
        case CheckpointSaved():
            return replace(view, saved=event)
        case CheckpointLoaded(step=step):
            return replace(_gone_back(view, step), paced_until_seconds=event.elapsed_seconds)
        case ModelChanged(model=model, num_parameters=num_parameters):
            return replace(view, model=model, num_parameters=num_parameters)
        case LearningRateChanged(learning_rate=learning_rate):
            return replace(view, learning_rate=learning_rate)
        case FinishPlanned(last_step=last_step):
            return replace(view, finishes_at=last_step)
        case FinishCancelled():
            return replace(view, finishes_at=None)
        case ThreadsChanged(num_threads=num_threads):
            return replace(view, num_threads=num_threads)
        case SamplingChanged(sampling=sampling):
            return replace(view, sampling=sampling)
        case Paused():
            return replace(view, phase="paused")
        case Resumed():
            return replace(view, phase="training")
        case Warned():
            return replace(view, warnings=(*view.warnings[-(MAX_WARNINGS - 1) :], event))
        case CommandRefused():
            return view
        case RunFinished():
            return replace(view, phase="finished", ended=event)
        case RunFailed():
            return replace(view, phase="failed", ended=event)
        case _:
            assert_never(event)


def _begun(view: RunView, event: RunStarted) -> RunView:
    """Return the view at the start of a session, with the curve of the sessions before it where it resumes."""
    view = _gone_back(view, event.step) if event.resumed_from is not None else view
    return replace(
        view,
        phase="training",
        started=event,
        model=event.model,
        num_parameters=event.num_parameters,
        num_threads=event.num_threads,
        finishes_at=None,
        learning_rate=event.training.learning_rate,
        steps_per_second=0.0,
        paced_until_seconds=event.elapsed_seconds,
        sampling=event.sampling,
        ended=None,
    )


def _stepped(view: RunView, event: StepsFinished) -> RunView:
    """Return the view after more steps."""
    pace = view.steps_per_second
    seconds = event.elapsed_seconds - view.paced_until_seconds
    if seconds > 0:
        latest = (event.step - event.first_step + 1) / seconds
        age = event.elapsed_seconds - (view.started.elapsed_seconds if view.started else 0.0)
        # the first steps of a session are slow, and soon forgotten
        weight = 1.0 - math.exp(-seconds / min(_PACE_SECONDS, max(age, seconds) / 3)) if pace > 0 else 1.0
        pace += weight * (latest - pace)
    return replace(
        view,
        train_losses=view.train_losses.extended(event.first_step, event.train_losses),
        learning_rate=event.learning_rate,
        chars_per_second=event.chars_per_second,
        steps_per_second=pace,
        paced_until_seconds=event.elapsed_seconds,
    )


def _gone_back(view: RunView, step: int) -> RunView:
    """Return the view without what came after `step`."""
    return replace(
        view,
        train_losses=view.train_losses.truncated(step),
        val_points=tuple(point for point in view.val_points if point.step <= step),
        tweets=tuple(tweet for tweet in view.tweets if tweet.step <= step),
    )


def replay(lines: Iterable[str]) -> RunView:
    """Return the view that a journal's lines lead to, so that a resumed run opens with its curve.

    A line that a kill cut short is left out.
    """
    view = RunView()
    for line in lines:
        try:
            event = from_json(line)
        except WireError:
            continue
        view = apply(view, event)
    return view
