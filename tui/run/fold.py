"""`fold`: the view of a run after more of its events, live, attached or from a journal. Pure.

The frequent events of training are collected and applied together: a journal has hundreds of thousands of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.config.fields import field_names, with_settings
from engine.config.run import BUDGETS, INTERVALS, Setting, TrainingConfig, implied_settings
from engine.config.sampling import SamplingConfig
from engine.errors import ConfigError
from engine.protocol import events as e
from engine.protocol.insight import BaselinesMeasured, StepTaken
from engine.storage.folders import RUN_CHECKPOINTS, home
from tui.run.marks import (
    DraftCounts,
    Mark,
    MarkKind,
    baselines_from,
    has_same_filter,
    sampling_marks,
    uncrossed_after,
    with_crossings,
    with_mark,
)
from tui.run.series import Buckets
from tui.run.view import RunView, is_spent, next_rate

MAX_TWEETS = 10_000
MAX_VAL_POINTS, LATEST_VAL_POINTS = 4000, 500
MAX_TIMES = 15
MAX_WARNINGS = 100
_MAX_TOTAL = 1e30
"""The largest total of the losses of a bucket, so that totals can be sent; only an edited journal has more."""

StepReport = e.StepsFinished | e.StepsThinned
_Frequent = StepReport | e.EvalFinished | e.TweetSampled
"""Events that are collected, and applied before an event of another type."""
_Neutral = e.StepTimes | e.RanksMeasured | e.CheckpointSaved
"""Events that neither read nor change what the frequent events do."""
_Item = TypeVar("_Item", Mark, e.EvalFinished, e.TweetSampled)


def fold(view: RunView, events: Iterable[e.Event]) -> RunView:
    """Return the view after `events`, in any order; never raises. The same view without events."""
    now = None
    frequent: list[_Frequent] = []
    for event in events:
        now = copy.copy(view) if now is None else now
        if not isinstance(event, e.RunFailed):  # a failure from outside the session has no step
            now.step, now.elapsed_seconds = event.step, event.elapsed_seconds
        if isinstance(event, _Frequent):
            frequent.append(event)
            continue
        if frequent and not isinstance(event, _Neutral):
            _apply_frequent(now, frequent)
            frequent = []
        _apply(now, event)
    if now is None:
        return view
    if frequent:
        _apply_frequent(now, frequent)
    return now


def _apply(now: RunView, event: e.Event) -> None:  # noqa: C901, PLR0912, PLR0915 - one case per type of event
    """Apply an event of any type that is not frequent."""
    match event:
        case e.StepTimes():
            now.times = (*now.times, event)[-MAX_TIMES:]
        case e.RanksMeasured():
            now.ranks = event
        case e.CheckpointSaved(name=name, weights_step=weights_step):
            now.saved = event
            if name == "latest":
                now.saved_step = weights_step
            if not Path(event.path).is_relative_to(home() / "runs"):
                now.saved_by_name = event
            if name not in RUN_CHECKPOINTS:
                _mark(now, weights_step, "saved", f"saved {name}")
        case e.RunStarted():
            _start(now, event)
        case e.CheckpointLoaded():
            _load(now, event)
        case e.ModelChanged():
            now.model, now.num_parameters = event.model, event.num_parameters
        case e.SettingsChanged(settings=settings):
            before = now.sampling
            if not _change_settings(now, settings, event.epochs):
                return
            for mark in sampling_marks(event.step, before, now.sampling):
                now.marks = with_mark(now.marks, mark)
            if now.training is not None and "learning_rate" in settings:
                _mark(now, event.step, "learning rate", f"learning rate {now.training.learning_rate:.3g}")
            if now.training is not None and "batch_size" in settings:
                _mark(now, event.step, "batch size", f"batch size {now.training.batch_size}")
        case e.FinishPlanned(last_step=None):
            now.finishes_at = None
            now.marks = tuple(mark for mark in now.marks if mark.kind != "finishing")
        case e.FinishPlanned(last_step=last_step):
            now.finishes_at = last_step
            if now.is_finishing:
                _mark(now, event.step, "finishing", "finishing")
        case e.ThreadsChanged():
            now.num_threads, now.precision = event.num_threads, event.precision
            _restart_pace(now)
        case e.Paused():
            now.phase = "paused"
            is_single_step = now.step_taken is not None and now.step_taken.step == event.step
            if not (is_single_step or now.ended or is_spent(now)):  # these pauses are the run's own
                _mark(now, event.step, "paused", "paused")
        case e.Resumed():
            now.phase = "training"
        case e.Warned():
            now.warnings = (*now.warnings[-(MAX_WARNINGS - 1) :], event)
        case BaselinesMeasured(names=names, bits_per_char=bits_per_char):
            points = ((point.step, point.bits_per_char) for point in now.val_points)
            now.baselines = with_crossings(baselines_from(names, bits_per_char, now.baselines), points)
        case e.TweetDelayed():
            now.tweet_delayed = event
        case StepTaken():
            now.step_taken = event
        case e.RunFinished():
            now.phase, now.ended = "finished", event
        case e.RunFailed():
            now.phase, now.ended = "failed", event
        case _:
            pass  # an answer that only a dialog shows


def _start(now: RunView, event: e.RunStarted) -> None:
    """Start a session; a resumed run has the curve of the sessions before, up to its first step."""
    source = event.resumed_from or ""
    is_new = source != f"{event.run}/latest"
    if source:
        _truncate(now, event.step)
    if source and is_new:
        now.branched_from = source
    now.phase, now.started, now.ended = "training", event, None
    now.is_warm_start = event.is_warm_start or (now.is_warm_start and not is_new)
    now.model, now.training, now.num_parameters = event.model, event.training, event.num_parameters
    now.num_threads, now.precision, now.ranks = event.num_threads, event.precision, None
    now.finishes_at = now.step_taken = now.tweet_delayed = None
    now.baselines = ()
    now.saved_step = None if is_new else event.step
    now.loaded_step, now.loaded_name = None, ""
    _use_sampling(now, event.sampling)
    _restart_pace(now)
    _count_epochs_from(now, event.epochs)
    now.learning_rate = next_rate(now, event.training)


def _load(now: RunView, event: e.CheckpointLoaded) -> None:
    """Continue from a checkpoint, without all that came after its step."""
    is_latest = event.name == f"{now.name}/latest"
    is_on_curve = (is_latest or event.name == f"{now.name}/best") and event.step <= now.train_losses.last_step
    if now.best is not None and now.best.step > event.step:
        now.best_taken_back = now.best
    _truncate(now, event.step)
    _mark(now, event.step, "loaded", f"loaded {event.name}")
    if not is_on_curve:
        now.smoothed_from_step = event.step + 1
    now.saved_step = event.step if is_latest else None
    now.loaded_step, now.loaded_name = event.step, event.name
    _restart_pace(now)
    _count_epochs_from(now, event.epochs)


def _truncate(now: RunView, step: int) -> None:
    """Remove all that came after `step`."""
    now.train_losses = now.train_losses.truncated(step)
    now.learning_rates = now.learning_rates.truncated(step)
    now.seconds = now.seconds.truncated(step)
    now.smoothed_from_step = min(now.smoothed_from_step, step + 1)
    now.step_taken = None
    now.marks = _until(step, now.marks)
    now.val_points = _until(step, now.val_points)
    now.tweets = _until(step, now.tweets)
    now.baselines = uncrossed_after(now.baselines, step)


def _until(step: int, items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """Return the items up to `step`; the same object where that is all of them."""
    until = tuple(item for item in items if item.step <= step)
    return items if len(until) == len(items) else until


def _change_settings(now: RunView, settings: Mapping[str, Setting], epochs: float) -> bool:
    """Use other settings from now on, where `epochs` are completed; return whether they are valid."""
    before = now.training
    try:
        sampling = with_settings(now.sampling, settings)
        training = None if before is None else with_settings(before, settings)
    except ConfigError:  # only in an edited journal
        return False
    _use_sampling(now, sampling)
    if before is None or training is None:
        return True
    now.training = training
    names = settings.keys() - field_names(SamplingConfig)
    if "learning_rate" in names:  # warm-up and schedule scale it as before
        now.learning_rate *= training.learning_rate / before.learning_rate
    if names & set(BUDGETS):
        now.finishes_at = None
    if "batch_size" in names:
        _count_epochs_from(now, epochs)
    if names & set(INTERVALS):
        now.tweet_delayed = None
    if names - {"learning_rate", *BUDGETS}:
        _restart_pace(now)
    return True


def with_changes(view: RunView, settings: Mapping[str, Setting]) -> RunView:
    """Return the view as it will be once these settings, and those that they imply, are in use."""
    if not settings:
        return view
    now = copy.copy(view)
    _change_settings(now, {**settings, **implied_settings(settings, view.training or TrainingConfig())}, view.epoch)
    return now


def _use_sampling(now: RunView, sampling: SamplingConfig) -> None:
    """Sample with other settings; the drafts of another filter are counted from 0."""
    if not has_same_filter(now.sampling, sampling):
        now.drafts = DraftCounts()
    now.sampling = sampling


def _restart_pace(now: RunView) -> None:
    now.paced_from_step, now.paced_from_seconds, now.times = now.step, now.elapsed_seconds, ()


def _count_epochs_from(now: RunView, epochs: float) -> None:
    now.epochs_before, now.batch_size_since = epochs, now.step


def _mark(now: RunView, step: int, kind: MarkKind, label: str) -> None:
    now.marks = with_mark(now.marks, Mark(step=step, kind=kind, label=label))


def _apply_frequent(now: RunView, events: Sequence[_Frequent]) -> None:
    """Apply consecutive frequent events: those of a type together, as no type changes what another does."""
    for reports in _rising(event for event in events if isinstance(event, StepReport)):
        _add_steps(now, reports)
    tweets = [event for event in events if isinstance(event, e.TweetSampled)]
    if tweets:
        now.tweets, now.tweet_delayed = _with_tweets(now.tweets, tweets), None
        now.num_tweets += len(tweets)
        for tweet in tweets if now.sampling.has_filter else ():
            now.drafts = now.drafts.plus(tweet.num_drafts, tweet.refused, is_failing=bool(tweet.unmet))
    evaluations = [event for event in events if isinstance(event, e.EvalFinished)]
    if evaluations and not now.is_overfit:  # else they are of the training tweet itself
        now.val_points = _with_points(now.val_points, evaluations)
        now.baselines = with_crossings(now.baselines, ((event.step, event.bits_per_char) for event in evaluations))
        if any(event.is_best for event in evaluations):
            now.best_taken_back = None


def _rising(reports: Iterable[StepReport]) -> list[list[StepReport]]:
    """Return reports in groups of one type whose steps rise; steps may overlap or go back after a load."""
    groups: list[list[StepReport]] = []
    for report in reports:
        last = groups[-1][-1] if groups else None
        if last is not None and type(last) is type(report) and last.step < report.first_step:
            groups[-1].append(report)
        else:
            groups.append([report])
    return groups


def _add_steps(now: RunView, reports: Sequence[StepReport]) -> None:
    """Extend the series by reports of one type whose steps rise."""
    steps = np.array([report.step for report in reports], np.int64)
    if finished := [report for report in reports if isinstance(report, e.StepsFinished)]:
        numbers = np.concatenate([np.arange(report.first_step, report.step + 1) for report in finished])
        values = list(chain.from_iterable(report.train_losses for report in finished))
        now.train_losses = now.train_losses.extended_at(numbers, values)
    else:
        buckets = _buckets_of([report for report in reports if isinstance(report, e.StepsThinned)])
        now.train_losses = now.train_losses.extended_by_buckets(buckets, steps)
    now.learning_rates = now.learning_rates.extended_at(steps, [report.learning_rate for report in reports])
    now.seconds = now.seconds.extended_at(steps, [report.elapsed_seconds for report in reports])
    now.learning_rate, now.chars_per_second = reports[-1].learning_rate, reports[-1].chars_per_second


def _buckets_of(thinned: Sequence[e.StepsThinned]) -> Buckets:
    """Return the train losses of thinned steps, numbered by their first steps."""
    first, counts = np.array([(each.first_step, each.num_steps) for each in thinned], np.int64).T
    losses = np.array([(each.least_loss, each.greatest_loss, each.mean_loss) for each in thinned], np.float64)
    low, high, mean = losses.T
    return Buckets(first, low, high, np.clip(mean * counts, -_MAX_TOTAL, _MAX_TOTAL), counts)


def _with_tweets(tweets: tuple[e.TweetSampled, ...], added: Sequence[e.TweetSampled]) -> tuple[e.TweetSampled, ...]:
    """Return the tweets with more; whenever they are too many, without every other one of the older half."""
    kept = list(tweets)
    for tweet in added:
        kept.append(tweet)
        if len(kept) > MAX_TWEETS:
            half = len(kept) // 2
            kept = [*kept[:half:2], *kept[half:]]
    return tuple(kept)


def _with_points(points: tuple[e.EvalFinished, ...], added: Sequence[e.EvalFinished]) -> tuple[e.EvalFinished, ...]:
    """Return the points with more; whenever they are too many, about half: evenly by step, the latest, the best."""
    kept = list(points)
    for event in added:
        kept.append(event)
        if len(kept) > MAX_VAL_POINTS:
            best = next((point for point in reversed(kept) if point.is_best), None)
            width = (kept[-1].step - kept[0].step) // (MAX_VAL_POINTS // 2) + 1
            older, latest = kept[:-LATEST_VAL_POINTS], kept[-LATEST_VAL_POINTS:]
            even = {point.step // width: point for point in reversed(older)}
            kept = [*(point for point in older if point is even[point.step // width] or point is best), *latest]
    return tuple(kept)
