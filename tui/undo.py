"""`Undo`: the changes of settings that can be taken back, the last one first. Pure; knows no framework.

It is told of each command as it is sent, with what the screen showed before, so that a key pressed before any answer
has come is undone rightly too. A command that is refused has changed nothing and is forgotten. Taking a change back is
no change: there is no redo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.commands import Command, LoadCheckpoint, SetLearningRate
from engine.events import CheckpointLoaded, CommandRefused, Event
from tui.run_view import RunView
from tui.setting_commands import SettingCommand, answered_by, is_setting, taking_back, told_back

MAX_CHANGES = 1000
"""Changes that are kept: more than anyone takes back key by key."""


@dataclass(frozen=True, eq=False)
class Change:
    """One change of a setting."""

    back: SettingCommand
    """What takes it back."""
    command: SettingCommand
    """What it was."""

    @property
    def told(self) -> str:
        """What to say once it is taken back."""
        return told_back(self.back, self.command)


@dataclass(frozen=True)
class Undo:
    """What can be taken back."""

    changes: tuple[Change, ...] = ()
    """The last one last."""
    on_the_way: tuple[tuple[type[Command], Change | None], ...] = ()
    """Commands not yet answered, the oldest first, and the change that each is; None where it is none."""

    def after_sending(self, command: Command, before: RunView, *, is_undo: bool = False) -> Undo:
        """Return what can be taken back once `command` was sent, over a screen that showed `before`."""
        kind = type(command)
        if isinstance(command, LoadCheckpoint):
            if not command.halves_rate or before.training is None:
                return replace(self, on_the_way=(*self.on_the_way, (kind, None)))
            command = SetLearningRate(learning_rate=before.training.learning_rate / 2)  # the change that is taken back
        if not is_setting(command):
            return self
        change = Change(taking_back(command, before), command)
        is_change = bool(change.told) and not is_undo
        on_the_way = (*self.on_the_way, (kind, change if is_change else None))
        changes = (*self.changes[-(MAX_CHANGES - 1) :], change) if is_change else self.changes
        return Undo(changes, on_the_way)

    def after(self, event: Event) -> Undo:
        """Return what can be taken back after `event`, which may answer the oldest command of its kind."""
        is_load = isinstance(event, CheckpointLoaded)
        is_load_refused = isinstance(event, CommandRefused) and event.command == LoadCheckpoint.__name__
        kind = LoadCheckpoint if is_load or is_load_refused else answered_by(event)
        place = next((place for place, (sent, _) in enumerate(self.on_the_way) if sent is kind), None)
        if place is None:
            return self
        _, change = self.on_the_way[place]
        # a reload that halves the rate is answered by `LearningRateChanged` too
        to_come: tuple[tuple[type[Command], None], ...] = ((SetLearningRate, None),) if is_load and change else ()
        on_the_way = (*self.on_the_way[:place], *to_come, *self.on_the_way[place + 1 :])
        if change is None or not isinstance(event, CommandRefused):
            return replace(self, on_the_way=on_the_way)
        return Undo(_without(self.changes, change), on_the_way)

    def taken(self) -> tuple[Undo, Change | None]:
        """Return this without the last change, and that; None where there is none."""
        return (replace(self, changes=self.changes[:-1]), self.changes[-1]) if self.changes else (self, None)


def _without(changes: tuple[Change, ...], refused: Change) -> tuple[Change, ...]:
    """Return changes without one that never was; the next of its kind goes back to where that began."""
    if refused not in changes:
        return changes
    place = changes.index(refused)
    later = list(changes[place + 1 :])
    for index, change in enumerate(later):
        if type(change.command) is type(refused.command):
            later[index] = Change(refused.back, change.command)
            break
    return (*changes[:place], *later)
