"""`fold`: many events into a `RunView` at once, reports of steps merged: a backlog, or a whole journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, groupby

from engine.protocol.events import EvalFinished, Event, StepsFinished, StepTimes, TweetSampled
from tui.run.reducer import apply
from tui.run.view import RunView

MANY_REPORTS = 20
"""More reports of steps at once than a session emits between two ticks: a backlog, or a journal."""


def fold(view: RunView, events: Iterable[Event]) -> RunView:
    """Return the view after `events`, as `apply` would, but merge many consecutive reports of steps into one.

    Events that may come between reports, such as tweets, do not separate them.
    """
    for is_of_steps, same in groupby(events, key=_may_come_between_steps):
        group = list(same)
        reports = [event for event in group if isinstance(event, StepsFinished)]
        if is_of_steps and len(reports) > MANY_REPORTS:
            others = [event for event in group if not isinstance(event, StepsFinished)]
            last_is_report = isinstance(group[-1], StepsFinished)
            group = [*others, *_merged(reports)] if last_is_report else [*_merged(reports), *others]
        for event in group:
            view = apply(view, event)
    return view


def _may_come_between_steps(event: Event) -> bool:
    """Return whether an event is a report of steps, or changes nothing that a report of steps changes.

    The order of such events matters only for the last, which sets the step and the time of the view.
    """
    return isinstance(event, StepsFinished | TweetSampled | EvalFinished | StepTimes)


def _merged(reports: Sequence[StepsFinished]) -> Iterator[Event]:
    """Yield reports of steps, merging those without a gap between them."""
    start = 0
    for index in range(1, len(reports) + 1):
        if index < len(reports) and reports[index].first_step == reports[index - 1].step + 1:
            continue
        yield joined(reports[start:index])
        start = index


def joined(reports: Sequence[StepsFinished]) -> StepsFinished:
    """Merge reports of steps without a gap between them."""
    losses = tuple(chain.from_iterable(report.train_losses for report in reports))
    norms = tuple(chain.from_iterable(report.grad_norms for report in reports))
    return replace(reports[-1], first_step=reports[0].first_step, train_losses=losses, grad_norms=norms)
