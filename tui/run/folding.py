"""`fold`: many events into a `RunView` at once: a backlog, or a whole journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from engine.protocol.events import CheckpointSaved, Event
from engine.storage.folders import RUN_CHECKPOINTS
from tui.run.reducer import apply
from tui.run.training_events import TrainingEvent, with_training_events
from tui.run.view import RunView


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
