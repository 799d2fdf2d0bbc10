"""The frequent events of training, many at once: reports of steps, evaluations, tweets, times, autosaves. Pure.

A journal has hundreds of thousands of them, and copying a view for each would take minutes.

`apply`: the pure reducer of one event into a `RunView`; `tui.run.fold` folds many.

The screen stores the latest view and passes it to widgets, which draw it. The same events give the same view, from a
live session as from a run's journal (`tui.run.journal`).

`fold`: many events into a `RunView` at once: a backlog, or a whole journal. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.config.fields import field_names, with_settings
from engine.config.run import BUDGETS, INTERVALS, Setting, TrainingConfig, implied_settings
from engine.config.sampling import SamplingConfig
from engine.errors import ConfigError
from engine.protocol.events import (
    CheckpointLoaded,
    CheckpointSaved,
    EvalFinished,
    Event,
    FinishPlanned,
    ModelChanged,
    Paused,
    RanksMeasured,
    Resumed,
    RunFailed,
    RunFinished,
    RunStarted,
    SettingsChanged,
    StepsFinished,
    StepsThinned,
    StepTimes,
    ThreadsChanged,
    TweetDelayed,
    TweetSampled,
    Warned,
)
from engine.protocol.insight import BaselinesMeasured, StepTaken
from engine.storage.folders import RUN_CHECKPOINTS, home
from tui.run.marks import (
    DraftCounts,
    counts_after,
    has_same_filter,
    levels_from,
    uncrossed_after,
    with_crossings,
    with_marks,
)
from tui.run.series import Buckets
from tui.run.view import RunView, ValPoint, is_over, next_rate

MAX_TWEETS = 10_000
MAX_VAL_POINTS, LATEST_VAL_POINTS = 4000, 500
MAX_TIMES = 15
_MAX_TOTAL = 1e30
"""Of the losses of a bucket, so that their sums can be sent; only an edited journal has more."""

StepReport = StepsFinished | StepsThinned
_Kind = TypeVar("_Kind", bound=Event)
TrainingEvent = StepReport | EvalFinished | TweetSampled | StepTimes | RanksMeasured | CheckpointSaved
"""None of them changes what another one changes, but for the step and the time of the view."""


def with_training_events(view: RunView, events: Sequence[TrainingEvent]) -> RunView:
    """Return the view after consecutive events, at least one."""
    for reports in _rising([event for event in events if isinstance(event, StepReport)]):
        view = _with_steps(view, reports)
    tweets, times = _of(TweetSampled, events), _of(StepTimes, events)
    evaluations = [] if view.is_overfit else _of(EvalFinished, events)  # there, they are of the training tweet itself
    saves, ranks = _of(CheckpointSaved, events), _of(RanksMeasured, events)
    latest = [save for save in saves if save.name == "latest"]
    named = [save for save in saves if not Path(save.path).is_relative_to(home() / "runs")]
    return replace(
        view,
        step=events[-1].step,
        elapsed_seconds=events[-1].elapsed_seconds,
        tweets=_with_tweets(view.tweets, tweets) if tweets else view.tweets,
        num_tweets=view.num_tweets + len(tweets),
        tweet_delayed=None if tweets else view.tweet_delayed,
        drafts=counts_after(view.drafts, tweets) if tweets and view.sampling.has_filter else view.drafts,
        val_points=_with_points(view.val_points, evaluations) if evaluations else view.val_points,
        best_taken_back=None if any(event.is_best for event in evaluations) else view.best_taken_back,
        levels=with_crossings(view.levels, ((event.step, event.bits_per_char) for event in evaluations)),
        times=(*view.times, *times)[-MAX_TIMES:],
        saved=saves[-1] if saves else view.saved,
        saved_by_name=named[-1] if named else view.saved_by_name,
        saved_step=latest[-1].weights_step if latest else view.saved_step,
        ranks=ranks[-1] if ranks else view.ranks,
    )


def _of(kind: type[_Kind], events: Sequence[TrainingEvent]) -> list[_Kind]:
    """Return the events of one type."""
    return [event for event in events if type(event) is kind]


def _rising(reports: Sequence[StepReport]) -> Iterator[Sequence[StepReport]]:
    """Yield runs of reports of one type whose steps rise; only a load ends a run early."""
    start = 0
    for index in range(1, len(reports) + 1):
        if index < len(reports):
            before, report = reports[index - 1], reports[index]
            if type(before) is type(report) and before.step < report.first_step:
                continue
        if start < index:
            yield reports[start:index]
        start = index


def _with_steps(view: RunView, reports: Sequence[StepReport]) -> RunView:
    """Return the view after reports of one type whose steps rise."""
    last = reports[-1]
    steps = np.array([report.step for report in reports], np.int64)
    finished = [report for report in reports if isinstance(report, StepsFinished)]
    if finished:
        numbers = [np.arange(report.first_step, report.step + 1) for report in finished]
        values = list(chain.from_iterable(report.train_losses for report in finished))
        train_losses = view.train_losses.extended_at(np.concatenate(numbers), values)
    else:
        thinned = [report for report in reports if isinstance(report, StepsThinned)]
        train_losses = view.train_losses.extended_by_buckets(_buckets_of(thinned), steps)
    return replace(
        view,
        train_losses=train_losses,
        learning_rates=view.learning_rates.extended_at(steps, [report.learning_rate for report in reports]),
        seconds=view.seconds.extended_at(steps, [report.elapsed_seconds for report in reports]),
        learning_rate=last.learning_rate,
        chars_per_second=last.chars_per_second,
    )


def _buckets_of(thinned: Sequence[StepsThinned]) -> Buckets:
    """Return the train losses of thinned steps, numbered by their first steps."""
    counts = np.array([each.num_steps for each in thinned], np.int64)
    return Buckets(
        np.array([each.first_step for each in thinned], np.int64),
        np.array([each.least_loss for each in thinned], np.float64),
        np.array([each.greatest_loss for each in thinned], np.float64),
        np.clip(np.array([each.mean_loss for each in thinned], np.float64) * counts, -_MAX_TOTAL, _MAX_TOTAL),
        counts,
    )


def _with_tweets(tweets: tuple[TweetSampled, ...], added: Sequence[TweetSampled]) -> tuple[TweetSampled, ...]:
    """Return the tweets with more; whenever they are too many, without every other one of the older half."""
    kept = list(tweets)
    for tweet in added:
        kept.append(tweet)
        if len(kept) > MAX_TWEETS:
            half = len(kept) // 2
            kept = [*kept[:half:2], *kept[half:]]
    return tuple(kept)


def _with_points(points: tuple[ValPoint, ...], added: Sequence[EvalFinished]) -> tuple[ValPoint, ...]:
    """Return the points with more; whenever they are too many, about half: evenly by step, the latest, the best."""
    kept = list(points)
    for event in added:
        kept.append(
            ValPoint(
                step=event.step,
                val_loss=event.val_loss,
                bits_per_char=event.bits_per_char,
                is_best=event.is_best,
                is_early=event.is_early,
            )
        )
        if len(kept) > MAX_VAL_POINTS:
            kept = _thinned_points(kept)
    return tuple(kept)


def _thinned_points(points: list[ValPoint]) -> list[ValPoint]:
    """Return about half of some points, evenly by step, the latest and the best included."""
    best = next((point for point in reversed(points) if point.is_best), None)
    width = (points[-1].step - points[0].step) // (MAX_VAL_POINTS // 2) + 1
    older, latest = points[:-LATEST_VAL_POINTS], points[-LATEST_VAL_POINTS:]
    even = {point.step // width: point for point in reversed(older)}
    return [*(point for point in older if point is even[point.step // width] or point is best), *latest]


MAX_WARNINGS = 100


def apply(view: RunView, event: Event) -> RunView:  # noqa: C901, PLR0912 - one case per kind of event
    """Return the view after `event`. Pure; accepts events in any order without raising."""
    if not isinstance(event, RunFailed):  # a failure from outside the session has no step
        view = replace(view, step=event.step, elapsed_seconds=event.elapsed_seconds)
        if not _is_pause_by_the_run(view, event):
            view = replace(view, marks=with_marks(view.marks, event, view.sampling))
    match event:
        case RunStarted():
            return _started(view, event)
        case StepsFinished() | StepsThinned() | EvalFinished() | TweetSampled() | StepTimes():
            return with_training_events(view, (event,))
        case RanksMeasured() | CheckpointSaved():
            return with_training_events(view, (event,))
        case CheckpointLoaded(step=step, name=name, epochs=epochs):
            run = view.started.run if view.started is not None else ""
            is_latest = name == f"{run}/latest"
            is_on_curve = (is_latest or name == f"{run}/best") and step <= view.train_losses.last_step
            saved_step = step if is_latest else None
            taken_back = view.best if view.best is not None and view.best.step > step else view.best_taken_back
            view = replace(_truncated(view, step), saved_step=saved_step, loaded_step=step, loaded_name=name)
            smoothed_from_step = view.smoothed_from_step if is_on_curve else step + 1
            view = replace(view, best_taken_back=taken_back, smoothed_from_step=smoothed_from_step)
            return _at_epochs(_with_new_pace(view, event), epochs)
        case ModelChanged(model=model, num_parameters=num_parameters):
            return replace(view, model=model, num_parameters=num_parameters)
        case SettingsChanged():
            return _with_changed_settings(view, event)
        case FinishPlanned(last_step=last_step):
            return replace(view, finishes_at=last_step)
        case ThreadsChanged(num_threads=num_threads, precision=precision):
            view = _with_new_pace(view, event)
            return replace(view, num_threads=num_threads, precision=precision)
        case Paused():
            return replace(view, phase="paused")
        case Resumed():
            return replace(view, phase="training")
        case Warned():
            return replace(view, warnings=(*view.warnings[-(MAX_WARNINGS - 1) :], event))
        case BaselinesMeasured(names=names, bits_per_char=bits_per_char):
            points = ((point.step, point.bits_per_char) for point in view.val_points)
            return replace(view, levels=with_crossings(levels_from(names, bits_per_char, view.levels), points))
        case TweetDelayed():
            return replace(view, tweet_delayed=event)
        case StepTaken():
            return replace(view, step_taken=event)
        case RunFinished():
            return replace(view, phase="finished", ended=event)
        case RunFailed():
            return replace(view, phase="failed", ended=event)
        case _:  # an answer that only a dialog shows
            return view


def _is_pause_by_the_run(view: RunView, event: Event) -> bool:
    """Return whether `event` is the pause after a single step or at the end of the budget: neither gets a mark."""
    if not isinstance(event, Paused):
        return False
    is_single_step = view.step_taken is not None and view.step_taken.step == event.step
    return is_single_step or is_over(replace(view, phase="paused"))


def _with_new_pace(view: RunView, event: Event) -> RunView:
    """Return the view whose pace and step times are measured from `event` on."""
    return replace(view, paced_from_step=event.step, paced_from_seconds=event.elapsed_seconds, times=())


def _at_epochs(view: RunView, epochs: float) -> RunView:
    """Return the view with a count of epochs."""
    return replace(view, epochs_before=epochs, batch_size_since=view.step)


def _sampling_with(view: RunView, sampling: SamplingConfig) -> RunView:
    """Return the view with other sampling settings; another filter begins a new count of drafts."""
    drafts = view.drafts if has_same_filter(view.sampling, sampling) else DraftCounts()
    return replace(view, sampling=sampling, drafts=drafts)


def _with_changed_settings(view: RunView, event: SettingsChanged) -> RunView:
    """Return the view with changed settings of sampling and training; unknown names come from other versions."""
    before = view.training
    try:
        sampling = with_settings(view.sampling, event.settings)
        training = None if before is None else with_settings(before, event.settings)
    except ConfigError:  # only in an edited journal
        return view
    view, names = _sampling_with(view, sampling), event.settings.keys() - field_names(SamplingConfig)
    if before is None or training is None:
        return view
    view = replace(view, training=training)
    if "learning_rate" in names:  # warm-up and schedule scale it as before
        view = replace(view, learning_rate=view.learning_rate * training.learning_rate / before.learning_rate)
    if names & set(BUDGETS):
        view = replace(view, finishes_at=None)
    if "batch_size" in names:
        view = _at_epochs(view, event.epochs)
    if names & set(INTERVALS):
        view = replace(view, tweet_delayed=None)
    return _with_new_pace(view, event) if names - {"learning_rate", *BUDGETS} else view


def _started(view: RunView, event: RunStarted) -> RunView:
    """Return the view at the start of a session; a resumed run has the curve of the sessions before."""
    before = event.resumed_from or ""
    is_new = before != f"{event.run}/latest"
    view = _sampling_with(_truncated(view, event.step) if before else view, event.sampling)
    view = replace(
        _at_epochs(view, event.epochs),
        phase="training",
        started=event,
        branched_from=before if before and is_new else view.branched_from,
        is_warm_start=event.is_warm_start or (view.is_warm_start and not is_new),
        model=event.model,
        training=event.training,
        num_parameters=event.num_parameters,
        num_threads=event.num_threads,
        precision=event.precision,
        finishes_at=None,
        step_taken=None,
        tweet_delayed=None,
        paced_from_step=event.step,
        paced_from_seconds=event.elapsed_seconds,
        times=(),
        ranks=None,
        levels=(),
        saved_step=None if is_new else event.step,
        loaded_step=None,
        loaded_name="",
        ended=None,
    )
    return replace(view, learning_rate=next_rate(view, event.training))


def _truncated(view: RunView, step: int) -> RunView:
    """Return the view without all that came after `step`."""
    return replace(
        view,
        train_losses=view.train_losses.truncated(step),
        smoothed_from_step=min(view.smoothed_from_step, step + 1),
        learning_rates=view.learning_rates.truncated(step),
        seconds=view.seconds.truncated(step),
        step_taken=None,
        marks=tuple(mark for mark in view.marks if mark.step <= step),
        val_points=tuple(point for point in view.val_points if point.step <= step),
        levels=uncrossed_after(view.levels, step),
        tweets=tuple(tweet for tweet in view.tweets if tweet.step <= step),
    )


def fold(view: RunView, events: Iterable[Event]) -> RunView:
    """Return the view after `events`, as `apply` would, but handle consecutive events of training together."""
    for is_of_training, same in groupby(events, key=_is_of_training):
        if is_of_training:
            view = with_training_events(view, [event for event in same if isinstance(event, TrainingEvent)])
        else:
            for event in same:
                view = apply(view, event)
    return view


def _is_of_training(event: Event) -> bool:
    """Return whether an event is of training and puts no mark on the curve."""
    return isinstance(event, TrainingEvent) and not (
        isinstance(event, CheckpointSaved) and event.name not in RUN_CHECKPOINTS
    )


def with_changes(view: RunView, settings: Mapping[str, Setting]) -> RunView:
    """Return the view as it will be once these settings, and those that they imply, are in use."""
    if not settings:
        return view
    changed = {**settings, **implied_settings(settings, view.training or TrainingConfig())}
    event = SettingsChanged(step=view.step, elapsed_seconds=view.elapsed_seconds, settings=changed, epochs=view.epoch)
    return _with_changed_settings(view, event)
