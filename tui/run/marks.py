"""Marks on a run's curve: steps at which a setting was changed, the run paused, a checkpoint saved or loaded. Pure.

Marks of the kind "level" are made from the levels (`tui.run.levels`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine.config.fields import with_settings
from engine.config.run import TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.errors import ConfigError
from engine.protocol.events import (
    CheckpointLoaded,
    CheckpointSaved,
    Event,
    FinishPlanned,
    Paused,
    SettingsChanged,
)
from engine.storage.folders import RUN_CHECKPOINTS
from engine.text import sanitize_line
from tui.run.drafts import DECISIVE_FIELDS, has_same_filter

MarkKind = Literal[
    "temperature", "filter", "learning rate", "batch size", "paused", "saved", "loaded", "finishing", "level"
]

MAX_MARKS = 2000
_MAX_VALUE_CHARS = 20


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark at a step."""

    step: int
    kind: MarkKind
    label: str
    """Shown beside the mark, in a few words."""


def with_marks(marks: tuple[Mark, ...], event: Event, sampling: SamplingConfig) -> tuple[Mark, ...]:
    """Return the marks after `event`; `sampling` is that before it. Only the last of a kind at a step is stored."""
    if isinstance(event, FinishPlanned) and event.last_step is None:
        return tuple(mark for mark in marks if mark.kind != "finishing")
    for mark in _marks_of(event, sampling):
        others = [each for each in marks if (each.step, each.kind) != (mark.step, mark.kind)]
        marks = (*others[-(MAX_MARKS - 1) :], mark)
    return marks


def _marks_of(event: Event, before: SamplingConfig) -> Iterator[Mark]:
    """Yield the marks of an event; `before` are the sampling settings before it."""
    match event:
        case SettingsChanged():
            yield from _setting_marks(event, before)
        case Paused(step=step):
            yield Mark(step=step, kind="paused", label="paused")
        case CheckpointSaved(name=name) if name not in RUN_CHECKPOINTS:
            yield Mark(step=event.weights_step, kind="saved", label=f"saved {name}")
        case CheckpointLoaded(step=step, name=name):
            yield Mark(step=step, kind="loaded", label=f"loaded {name}")
        case FinishPlanned(step=step):
            yield Mark(step=step, kind="finishing", label="finishing")


def _setting_marks(event: SettingsChanged, before: SamplingConfig) -> Iterator[Mark]:
    """Yield the marks of changed settings, each with its new value."""
    step, settings = event.step, event.settings
    try:
        training, sampling = with_settings(TrainingConfig(), settings), with_settings(before, settings)
    except ConfigError:  # only in an edited journal
        return
    yield from _sampling_marks(step, before, sampling)
    if "learning_rate" in settings:
        yield Mark(step=step, kind="learning rate", label=f"learning rate {training.learning_rate:.3g}")
    if "batch_size" in settings:
        yield Mark(step=step, kind="batch size", label=f"batch size {training.batch_size}")


def _sampling_marks(step: int, before: SamplingConfig, after: SamplingConfig) -> Iterator[Mark]:
    """Yield the marks of changed sampling settings: temperature and filter, each with its new value."""
    if after.temperature != before.temperature:
        yield Mark(step=step, kind="temperature", label=f"temperature {after.temperature:.2f}")
    if not has_same_filter(before, after):
        changed = [name for name in DECISIVE_FIELDS if getattr(after, name) != getattr(before, name)]
        values = ", ".join(f"{name.replace('_', ' ')} {_value(getattr(after, name))}" for name in changed)
        yield Mark(step=step, kind="filter", label=f"filter: {values}" if after.has_filter else "filter off")


def _value(value: object) -> str:
    """Return a setting of the filter: "on", "none", "20", "3 texts", "“morning”"."""
    match value:
        case tuple():
            return f"{len(value)} {'text' if len(value) == 1 else 'texts'}" if value else "none"
        case str():
            return f"“{sanitize_line(value, _MAX_VALUE_CHARS)}”" if value else "none"
        case bool():
            return "on" if value else "off"
        case _:
            return str(value)
