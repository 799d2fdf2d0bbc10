"""The frequent events of training, many at once: reports of steps, evaluations, tweets, times, autosaves. Pure.

A journal has hundreds of thousands of them, and copying a view for each would take minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.protocol.events import (
    CheckpointSaved,
    EvalFinished,
    Event,
    RanksMeasured,
    StepsFinished,
    StepsThinned,
    StepTimes,
    TweetSampled,
)
from engine.storage.folders import home
from tui.run.drafts import counts_after
from tui.run.levels import with_crossings
from tui.run.series.buckets import Buckets
from tui.run.view import RunView, ValPoint

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
