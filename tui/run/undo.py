"""`Undo`: the changes of settings that can be taken back, the last one first. Pure; knows no framework.

It is given each command as it is sent, with what the screen showed before, so that a key pressed before any answer
has come is undone rightly too. A command that is refused has changed nothing and is forgotten. Taking a change back is
no change: there is no redo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.protocol.commands import Command, LoadCheckpoint, SetLearningRate
from tui.run.setting_commands import SettingCommand, is_setting, taking_back, told_back
from tui.run.view import RunView

MAX_CHANGES = 1000
"""Changes that are kept: more than anyone takes back key by key."""


@dataclass(frozen=True, eq=False)
class Change:
    """One change of a setting."""

    back: SettingCommand
    """What takes it back."""
    command: SettingCommand
    """What it was."""
    sent: Command
    """The command that was sent: `command`, or a reload at half the learning rate."""

    @property
    def told(self) -> str:
        """What to say once it is taken back."""
        return told_back(self.back, self.command)


@dataclass(frozen=True)
class Undo:
    """What can be taken back."""

    changes: tuple[Change, ...] = ()
    """The last one last."""

    def after_sending(self, sent: Command, before: RunView) -> Undo:
        """Return what can be taken back once a command was sent, over a screen that showed `before`."""
        command = sent
        if isinstance(sent, LoadCheckpoint) and sent.halves_rate and before.training is not None:
            command = SetLearningRate(learning_rate=before.training.learning_rate / 2)  # the change that is taken back
        if not is_setting(command):
            return self
        change = Change(taking_back(command, before), command, sent)
        return Undo((*self.changes[-(MAX_CHANGES - 1) :], change)) if change.told else self

    def after_refusal(self, refused: Command | None) -> Undo:
        """Return this without the change that was refused; the next of its kind goes back to where that began."""
        place = next((place for place, change in enumerate(self.changes) if change.sent is refused), None)
        if place is None:
            return self
        never_made, later = self.changes[place], list(self.changes[place + 1 :])
        for index, change in enumerate(later):
            if type(change.command) is type(never_made.command):
                later[index] = replace(change, back=never_made.back)
                break
        return Undo((*self.changes[:place], *later))

    def taken(self) -> tuple[Undo, Change | None]:
        """Return this without the last change, and that; None where there is none."""
        return (Undo(self.changes[:-1]), self.changes[-1]) if self.changes else (self, None)
