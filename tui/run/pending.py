"""`PendingCommands`: what was sent to a session and is not answered yet, and which of it an event answers. Pure.

A session follows the commands of a kind in the order in which they were sent, so an event answers the oldest of its
kind. An event that another client's command caused looks the same; therefore a kind is pending until its last answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from tui.run.reducer import apply
from tui.run.setting_commands import expected_answer, is_setting
from tui.run.view import RunView

_ANSWERS: dict[type[Command], type[Event]] = {
    c.Pause: e.Paused,
    c.Resume: e.Resumed,
    c.Finish: e.FinishPlanned,
    c.CancelFinish: e.FinishCancelled,
    c.SetSampling: e.SamplingChanged,
    c.SetLearningRate: e.LearningRateChanged,
    c.SetBatchSize: e.BatchSizeChanged,
    c.SetIntervals: e.IntervalsChanged,
    c.LoadCheckpoint: e.CheckpointLoaded,
}
"""The commands that change something, and what answers them unless they are refused."""


@dataclass(frozen=True)
class PendingCommands:
    """The commands that change something and are not answered yet."""

    commands: tuple[Command, ...] = ()
    """The oldest first."""

    def after_sending(self, command: Command) -> PendingCommands:
        """Return what is pending once `command` was sent too."""
        if type(command) not in _ANSWERS:
            return self
        # a session that is paused (or runs) already does not answer `Pause` (`Resume`): only the last of both counts
        is_superseded = (c.Pause, c.Resume) if isinstance(command, c.Pause | c.Resume) else ()
        return PendingCommands((*(other for other in self.commands if not isinstance(other, is_superseded)), command))

    def answered_by(self, event: Event) -> Command | None:
        """Return the command that `event` answers; a refusal is an answer, too."""
        return next((command for command in self.commands if _answers(event, command)), None)

    def after_event(self, event: Event) -> PendingCommands:
        """Return what is still pending after `event`."""
        answered = self.answered_by(event)
        if answered is None:
            return self
        place = self.commands.index(answered)
        return PendingCommands((*self.commands[:place], *self.commands[place + 1 :]))

    def apply_to(self, view: RunView) -> RunView:
        """Return the view as it will be once all pending settings are in use."""
        for command in {type(command): command for command in self.commands}.values():
            if is_setting(command):
                view = apply(view, expected_answer(command, view))
        return view

    def pause_toggled(self, view: RunView) -> c.Pause | c.Resume:
        """Return the command to pause or go on, whichever is not the case or pending."""
        pending = [isinstance(command, c.Pause) for command in self.commands if isinstance(command, c.Pause | c.Resume)]
        return c.Resume() if [view.phase == "paused", *pending][-1] else c.Pause()

    def finish_toggled(self, view: RunView) -> c.Finish | c.CancelFinish:
        """Return the command to finish or not yet, whichever is not the case or pending."""
        pending = [
            isinstance(command, c.Finish) for command in self.commands if isinstance(command, c.Finish | c.CancelFinish)
        ]
        return c.CancelFinish() if [view.is_finishing, *pending][-1] else c.Finish()


def _answers(event: Event, command: Command) -> bool:
    """Return whether `event` answers commands of the kind of `command`."""
    if isinstance(event, e.CommandRefused):
        return event.command == type(command).__name__
    return isinstance(event, _ANSWERS[type(command)])
