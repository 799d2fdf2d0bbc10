"""`apply`: the pure reducer of one event into a `RunView`; `tui.run.folding` folds many.

The screen stores the latest view and passes it to widgets, which draw it. The same events give the same view, from a
live session as from a run's journal (`tui.run.journal`).
"""

from __future__ import annotations

from dataclasses import replace

from engine.config.fields import field_names, with_settings
from engine.config.run import BUDGETS, INTERVALS
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
from tui.run.drafts import DraftCounts, has_same_filter
from tui.run.levels import levels_from, uncrossed_after, with_crossings
from tui.run.marks import with_marks
from tui.run.rates import next_rate
from tui.run.training_events import with_training_events
from tui.run.view import RunView, is_over

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
