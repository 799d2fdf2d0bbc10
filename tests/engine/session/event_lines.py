"""A run's events as lines for a snapshot, without what differs between machines: times, losses, texts and paths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from itertools import groupby
from typing import Any

from engine.protocol import events as e
from engine.protocol.events import Event

SHOWN: dict[type, tuple[str, ...]] = {
    e.RunStarted: ("run", "resumed_from"),
    e.TweetSampled: ("prime", "temperature", "num_drafts"),
    e.LadderSampled: ("prime", "seed"),
    e.TextCompleted: ("request",),
    e.EvalFinished: ("is_best", "is_early"),
    e.CheckpointSaved: ("name", "weights_step"),
    e.CheckpointLoaded: ("name",),
    e.RunFinished: ("reason",),
}
"""The fields that are shown of events of these types; of others all but step and time."""


def lines_of(emitted: Iterable[Event]) -> str:
    """Return one line per event, with its step; steps between two other events are one line."""
    lines = list[str]()
    for are_steps, group in groupby(emitted, lambda event: isinstance(event, e.StepsFinished)):
        events: list[Any] = list(group)
        if are_steps:
            rates = [rate for rate, _ in groupby(f"{event.learning_rate:.2g}" for event in events)]
            shown = rates if len(rates) < 6 else [rates[0], "...", rates[-1]]
            first, last = events[0].first_step, events[-1].step
            numbers = f"steps {first} to {last}" if last > first else f"step {last}"
            lines.append(f"     {numbers}, learning rate {' '.join(shown)}")
        else:
            lines += [
                f"{event.step:4} {type(event).__name__}{''.join(map(_shown, _fields(event)))}" for event in events
            ]
    return "\n".join(lines)


def _fields(event: Event) -> list[tuple[str, Any]]:
    """Return names and values of the fields that are shown and not empty."""
    names = SHOWN.get(type(event), tuple(field.name for field in fields(event)[2:]))
    values = [(name, getattr(event, name)) for name in names]
    return [(name, value) for name, value in values if value is not None and value is not False and value != ""]


def _shown(field: tuple[str, Any]) -> str:
    """Return a field with its value; of settings those that are no defaults."""
    name, value = field
    if is_dataclass(value):
        default = type(value)()
        value = {
            each.name: own
            for each in fields(value)
            if (own := getattr(value, each.name)) != getattr(default, each.name)
        }
    return f" {name}={value!r}"
