"""`StepBuckets`: the events of a run as its journal stores them, with later steps in buckets. Pure.

The first `WHOLE_STEPS` steps of a run stay whole. After that a bucket has the steps with the same `step // width`, and
the width doubles whenever the run does, so that each doubling takes `WHOLE_STEPS / 2` buckets. Widths are powers of
two: a bucket lies within one bucket of the plot (`tui.run.series`), which is wider.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

import numpy as np
from msgspec.structs import replace

from engine.protocol.events import (
    CheckpointSaved,
    EvalFinished,
    Event,
    RanksMeasured,
    RunStarted,
    StepsFinished,
    StepsThinned,
    StepTimes,
    TweetSampled,
)

WHOLE_STEPS = 8192
"""As many as the plot shows one by one."""
_BETWEEN_STEPS = TweetSampled | EvalFinished | StepTimes | RanksMeasured | CheckpointSaved
"""Events that don't end a bucket. All others do, so that no step moves beyond a change of the run."""


class StepBuckets:
    """Puts the steps of one run into buckets, unless its setting `keep_every_step` is on.

    It relies on an event wherever steps are not consecutive: a `Warned` for a skipped step, a `CheckpointLoaded`.
    """

    def __init__(self, first_step: int | None = None) -> None:
        """`first_step` is the step at which the run began; None if its first `RunStarted` is still to come."""
        self._first_step = first_step
        self._whole_until = math.inf
        """The first step that does not stay whole."""
        self._open: list[StepsFinished] = []
        """The steps of the open bucket, as they were reported."""
        self._seconds = 0.0
        """Time of the last event that precedes the open bucket in the journal."""

    def add(self, event: Event) -> Iterator[Event]:
        """Yield what the journal gets as `event` occurs: whole steps, ended buckets, other events as they are."""
        if isinstance(event, StepsFinished):
            yield from self._add_steps(event)
            return
        if not isinstance(event, _BETWEEN_STEPS):
            yield from self.flush()
        if isinstance(event, RunStarted):
            self._first_step = event.step if self._first_step is None else self._first_step
            self._whole_until = math.inf if event.training.keep_every_step else self._first_step + WHOLE_STEPS
        self._seconds = event.elapsed_seconds
        yield event

    def flush(self) -> Iterator[StepsThinned]:
        """Yield the open bucket, if there is one; the next step begins another."""
        if self._open:
            yield _bucket_of(self._open, self._seconds)
            self._open = []

    def _add_steps(self, report: StepsFinished) -> Iterator[StepsFinished | StepsThinned]:
        """Cut a report where steps stop being whole and where buckets end; yield what is whole or complete."""
        start, count = 0, len(report.train_losses)
        while start < count:
            first = report.first_step + start
            is_whole = first < self._whole_until
            room = self._whole_until - first if is_whole else self._room_at(first)
            length = int(min(room, count - start))
            part = _part_of(report, start, length)
            if is_whole:
                yield part
            else:
                self._open.append(part)
            if length == room:
                yield from self.flush()
            start += length

    def _room_at(self, step: int) -> int:
        """Return how many steps the bucket that has `step` next can still take."""
        width = 1 << ((step - (self._first_step or 0)) // WHOLE_STEPS).bit_length()
        return width - step % width


def _part_of(report: StepsFinished, start: int, length: int) -> StepsFinished:
    """Return `length` steps of a report."""
    if length == len(report.train_losses):
        return report
    first, inside = report.first_step + start, slice(start, start + length)
    return replace(
        report,
        step=first + length - 1,
        first_step=first,
        train_losses=report.train_losses[inside],
        grad_norms=report.grad_norms[inside],
        learning_rates=report.learning_rates[inside],
    )


def _bucket_of(parts: list[StepsFinished], seconds: float) -> StepsThinned:
    """Return the bucket of some consecutive steps, its time at least `seconds`: a journal's time never goes back."""
    last = parts[-1]
    losses = [loss for part in parts for loss in part.train_losses]
    norms = [norm for part in parts for norm in part.grad_norms]
    return StepsThinned(
        step=last.step,
        elapsed_seconds=max(last.elapsed_seconds, seconds),
        first_step=parts[0].first_step,
        least_loss=min(losses),
        mean_loss=_in_shortest_digits(fmean(losses)),
        greatest_loss=max(losses),
        least_grad_norm=min(norms),
        mean_grad_norm=_in_shortest_digits(fmean(norms)),
        greatest_grad_norm=max(norms),
        learning_rate=last.learning_rate,
        chars_per_second=_in_shortest_digits(last.chars_per_second),
    )


def _in_shortest_digits(value: float) -> float:
    """Return the nearest float32 as the number with the fewest digits: losses and norms have no more."""
    return float(str(np.float32(value)))
