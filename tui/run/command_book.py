"""`CommandBook`: which commands of this screen have no answer yet, and which of its changes can be undone. Pure.

A session executes the commands of a type in the order in which they were sent, but changes of sampling alone overtake
other changes. So an event answers the oldest of its type; of changes of settings, the oldest with the values of the
event. An event caused by another client's command looks the same; therefore a type is pending until its last answer.

A change is recorded as its command is sent, with what the screen showed before, so that a key pressed before any answer
is undone correctly. A refused command has changed nothing and is removed. There is no redo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.config.run import Setting
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.protocol.commands import ChangeSettings, Command
from engine.protocol.events import Event
from tui.run.reducer import apply
from tui.run.setting_commands import expected_answer, inverse_of, undo_description
from tui.run.view import RunView

MAX_CHANGES = 1000
"""Changes that can be undone: more than anyone makes key by key."""


_ANSWERS: dict[type[Command], type[Event]] = {
    c.Pause: e.Paused,
    c.Resume: e.Resumed,
    c.Finish: e.FinishPlanned,
    c.ChangeSettings: e.SettingsChanged,
    c.TakeStep: insight.StepTaken,
    c.LoadCheckpoint: e.CheckpointLoaded,
    c.SaveLatest: e.CheckpointSaved,
}
"""The commands that are recorded as pending, and the event that answers each unless it is refused."""


@dataclass(frozen=True, eq=False)
class Change:
    """One change of settings."""

    inverse: ChangeSettings
    """The command that undoes it."""
    command: ChangeSettings
    sent: Command
    """`command`, or the reload at half the learning rate that included it."""

    @property
    def description(self) -> str:
        """What undoing it does, in words; empty where it changes nothing."""
        return undo_description(self.inverse, self.command)


@dataclass(frozen=True)
class CommandBook:
    """Commands sent and not answered yet, and changes made that can be undone. Immutable: methods return a new book."""

    pending: tuple[Command, ...] = ()
    """Commands of `_ANSWERS` that are not answered yet, the oldest first."""
    changes: tuple[Change, ...] = ()
    """The oldest first."""

    def after_sending(self, sent: Command, shown: RunView) -> CommandBook:
        """Return the book once a command was sent, over a screen that showed `shown`."""
        command = sent
        if isinstance(sent, c.LoadCheckpoint) and sent.halves_rate and shown.training is not None:
            command = ChangeSettings(settings={"learning_rate": shown.training.learning_rate / 2})  # to undo
        book = self._with_pending(sent)
        if not isinstance(command, ChangeSettings):
            return book
        change = Change(inverse_of(command, shown), command, sent)
        return replace(book, changes=(*self.changes[-(MAX_CHANGES - 1) :], change)) if change.description else book

    def undone(self) -> tuple[CommandBook, Change | None]:
        """Return the book once the inverse of the last change is sent, and that change; None without one."""
        if not self.changes:
            return self, None
        change = self.changes[-1]
        return replace(self._with_pending(change.inverse), changes=self.changes[:-1]), change

    def answered_by(self, event: Event) -> Command | None:
        """Return the command that `event` answers; a refusal is an answer, too."""
        return next((command for command in self.pending if _answers(event, command)), None)

    def after_event(self, event: Event) -> CommandBook:
        """Return the book after `event`."""
        answered = self.answered_by(event)
        if answered is None:
            return self
        place = self.pending.index(answered)
        return CommandBook(
            pending=(*self.pending[:place], *self.pending[place + 1 :]),
            changes=self._changes_without(answered) if isinstance(event, e.CommandRefused) else self.changes,
        )

    def apply_to(self, view: RunView) -> RunView:
        """Return the view as it will be once all pending settings are in use."""
        settings: dict[str, Setting] = {}
        for command in self.pending:
            if isinstance(command, ChangeSettings):
                settings |= command.settings
        return apply(view, expected_answer(settings, view)) if settings else view

    def pause_toggled(self, view: RunView) -> c.Pause | c.Resume:
        """Return the command that leads to the other state than the one reached or pending."""
        pending = [isinstance(command, c.Pause) for command in self.pending if isinstance(command, c.Pause | c.Resume)]
        return c.Resume() if [view.phase == "paused", *pending][-1] else c.Pause()

    @property
    def is_taking_step(self) -> bool:
        """Whether a single step is not finished yet."""
        return any(isinstance(command, c.TakeStep) for command in self.pending)

    def finish_toggled(self, view: RunView) -> c.Finish:
        """Return the command that leads to the other state than the one reached or pending."""
        pending = [command.on for command in self.pending if isinstance(command, c.Finish)]
        return c.Finish(on=not [view.is_finishing, *pending][-1])

    def _with_pending(self, command: Command) -> CommandBook:
        if type(command) not in _ANSWERS:
            return self
        # a session that is paused (or runs) already does not answer `Pause` (`Resume`): only the last of both counts
        is_superseded = (c.Pause, c.Resume) if isinstance(command, c.Pause | c.Resume) else ()
        others = (other for other in self.pending if not isinstance(other, is_superseded))
        return replace(self, pending=(*others, command))

    def _changes_without(self, refused: Command) -> tuple[Change, ...]:
        """Return the changes without a refused one; the next ones of its settings go back to where that began."""
        place = next((place for place, change in enumerate(self.changes) if change.sent is refused), None)
        if place is None:
            return self.changes
        before, later = dict(self.changes[place].inverse.settings), list(self.changes[place + 1 :])
        for index, change in enumerate(later):
            values = {name: before.pop(name, value) for name, value in change.inverse.settings.items()}
            later[index] = replace(change, inverse=ChangeSettings(settings=values))
        return (*self.changes[:place], *later)


def _answers(event: Event, command: Command) -> bool:
    """Return whether `event` answers commands of the type of `command`."""
    if isinstance(event, e.CommandRefused):
        names = set(command.settings) if isinstance(command, ChangeSettings) else set()
        return event.command == type(command).__name__ and set(event.settings) == names
    if isinstance(command, ChangeSettings) and isinstance(event, e.SettingsChanged):
        return command.settings.items() <= event.settings.items()
    if isinstance(command, c.Finish) and isinstance(event, e.FinishPlanned):
        return command.on == (event.last_step is not None)
    if isinstance(command, c.SaveLatest) and isinstance(event, e.CheckpointSaved):
        return event.name == "latest"  # others are written at any time
    return isinstance(event, _ANSWERS[type(command)])
