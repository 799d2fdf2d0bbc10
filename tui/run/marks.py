"""Marks on a run's curve: steps at which a setting was changed, the run paused, a checkpoint saved or loaded. Pure.

Marks of the kind "level" are made from the levels (`tui.run.levels`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.config.sampling import SamplingConfig
from engine.protocol.events import (
    BatchSizeChanged,
    CheckpointLoaded,
    CheckpointSaved,
    Event,
    FinishCancelled,
    FinishPlanned,
    LearningRateChanged,
    Paused,
    SamplingChanged,
)
from engine.storage.folders import RUN_CHECKPOINTS

MarkKind = Literal["temperature", "learning rate", "batch size", "paused", "saved", "loaded", "finishing", "level"]

MAX_MARKS = 2000


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark at a step."""

    step: int
    kind: MarkKind
    label: str
    """Shown beside the mark, in a few words."""


def with_mark(marks: tuple[Mark, ...], event: Event, sampling: SamplingConfig) -> tuple[Mark, ...]:
    """Return the marks after `event`; `sampling` is that before it. Only the last of a kind at a step is stored."""
    if isinstance(event, FinishCancelled):
        return tuple(mark for mark in marks if mark.kind != "finishing")
    mark = _mark_of(event, sampling)
    if mark is None:
        return marks
    if marks and (marks[-1].step, marks[-1].kind) == (mark.step, mark.kind):
        marks = marks[:-1]
    return (*marks[-(MAX_MARKS - 1) :], mark)


def _mark_of(event: Event, before: SamplingConfig) -> Mark | None:
    """Return the mark of an event; None without one."""
    match event:
        case SamplingChanged(step=step, sampling=sampling) if sampling.temperature != before.temperature:
            return Mark(step=step, kind="temperature", label=f"temperature {sampling.temperature:.2f}")
        case LearningRateChanged(step=step, learning_rate=rate):
            return Mark(step=step, kind="learning rate", label=f"learning rate {rate:.3g}")
        case BatchSizeChanged(step=step, batch_size=batch_size):
            return Mark(step=step, kind="batch size", label=f"batch size {batch_size}")
        case Paused(step=step):
            return Mark(step=step, kind="paused", label="paused")
        case CheckpointSaved(name=name) if name not in RUN_CHECKPOINTS:
            return Mark(step=event.saved_step, kind="saved", label=f"saved {name}")
        case CheckpointLoaded(step=step, name=name):
            return Mark(step=step, kind="loaded", label=f"loaded {name}")
        case FinishPlanned(step=step):
            return Mark(step=step, kind="finishing", label="finishing")
        case _:
            return None
