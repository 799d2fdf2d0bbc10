"""`Pending`: the commands of this screen without an answer, and those of its changes that can be undone. Pure.

A session executes the commands of a type in the order in which they were sent, but changes of sampling alone overtake
other changes. So an event answers the oldest of its type; of changes of settings, the oldest with the values of the
event. An event caused by another client's command looks the same; therefore a type is pending until its last answer.

A change is recorded as its command is sent, with what the screen showed before, so that a key pressed before any answer
is undone correctly. A refused command has changed nothing and is removed. There is no redo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from engine.config.run import LIVE_SETTINGS, Setting, TrainingConfig, implied_settings
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.insight import StepTaken
from tui.run.view import RunView
from tui.text.cells import shortened
from tui.text.numbers import format_learning_rate
from tui.text.tweets import SETTING_LABELS, format_setting

Interval = Literal["eval_every", "sample_every"]
MAX_CHANGES = 1000
"""Changes that can be undone: more than anyone makes key by key."""
_MAX_VALUE_CELLS = 24
_ANSWERS: dict[type[c.Command], type[e.Event]] = {
    c.Pause: e.Paused,
    c.Resume: e.Resumed,
    c.Finish: e.FinishPlanned,
    c.ChangeSettings: e.SettingsChanged,
    c.TakeStep: StepTaken,
    c.LoadCheckpoint: e.CheckpointLoaded,
    c.SaveCheckpoint: e.CheckpointSaved,
    c.SaveLatest: e.CheckpointSaved,
}
"""The commands that are recorded as pending, and the event that answers each unless it is refused."""
_PACES = {"sample_every", "sample_pacing"}
"""Settings that are described and restored together."""


@dataclass(frozen=True)
class Change:
    """One change of settings."""

    before: Mapping[str, Setting]
    """The values that undoing the change restores, those of implied settings among them."""
    after: Mapping[str, Setting]
    sent: c.Command
    """The `ChangeSettings`, or the reload at half the learning rate that included the change."""

    @property
    def inverse(self) -> c.ChangeSettings:
        """The command that undoes it."""
        return c.ChangeSettings(settings=dict(self.before))

    @property
    def description(self) -> str:
        """What undoing it does, in words; empty where it changes nothing, and for a budget."""
        before, after = self.before, {**self.before, **self.after}
        parts = [_restored(name, before[name]) for name in UNDO_LABELS if before.get(name) != after.get(name)]
        if before.keys() >= _PACES and format_samples(before) != format_samples(after):
            parts.append(f"tweets back to {format_samples(before)}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Pending:
    """Commands sent and not answered yet, and changes that can be undone, the oldest first. Immutable."""

    commands: tuple[c.Command, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def settings(self) -> dict[str, Setting]:
        """The settings that were sent and are not answered yet."""
        sent = (command.settings for command in self.commands if isinstance(command, c.ChangeSettings))
        return {name: value for settings in sent for name, value in settings.items()}

    def sent(self, command: c.Command, shown: RunView) -> Pending:
        """Return the state after `command` was sent from a screen that showed `shown`."""
        training = shown.training or TrainingConfig()
        match command:
            case c.ChangeSettings(settings=after):
                names = {*after, *implied_settings(after, training)}
            case c.LoadCheckpoint(halves_rate=True):
                after = {"learning_rate": training.learning_rate / 2}
                names = {*after}
            case _:
                return self._with(command)
        names |= _PACES if names & _PACES else set()
        before = {name: value for name, value in shown.settings.items() if name in LIVE_SETTINGS & names}
        change = Change(before, after, command)
        changes = (*self.changes[-(MAX_CHANGES - 1) :], change) if change.description else self.changes
        return replace(self._with(command), changes=changes)

    def undone(self) -> tuple[Pending, Change | None]:
        """Return the state after the inverse of the last change is sent, and that change; None without one."""
        if not self.changes:
            return self, None
        change = self.changes[-1]
        return replace(self._with(change.inverse), changes=self.changes[:-1]), change

    def after(self, event: e.Event) -> tuple[Pending, c.Command | None]:
        """Return the state after `event`, and the command that it answers, if any; a refusal is an answer, too."""
        place = next((place for place, command in enumerate(self.commands) if _answers(event, command)), None)
        if place is None:
            return self, None
        answered = self.commands[place]
        changes = self._changes_without(answered) if isinstance(event, e.CommandRefused) else self.changes
        return Pending((*self.commands[:place], *self.commands[place + 1 :]), changes), answered

    def pause_toggled(self, view: RunView) -> c.Pause | c.Resume:
        """Return the command that leads to the other state than the one reached or pending."""
        pending = [isinstance(command, c.Pause) for command in self.commands if isinstance(command, c.Pause | c.Resume)]
        return c.Resume() if [view.phase == "paused", *pending][-1] else c.Pause()

    def finish_toggled(self, view: RunView) -> c.Finish:
        """Return the command that leads to the other state than the one reached or pending."""
        pending = [command.on for command in self.commands if isinstance(command, c.Finish)]
        return c.Finish(on=not [view.is_finishing, *pending][-1])

    def _with(self, command: c.Command) -> Pending:
        if type(command) not in _ANSWERS:
            return self
        # a session that is paused (or runs) already does not answer `Pause` (`Resume`): only the last of both counts
        is_superseded = (c.Pause, c.Resume) if isinstance(command, c.Pause | c.Resume) else ()
        others = (other for other in self.commands if not isinstance(other, is_superseded))
        return replace(self, commands=(*others, command))

    def _changes_without(self, refused: c.Command) -> tuple[Change, ...]:
        """Return the changes without a refused one; the next ones of its settings go back to where that began."""
        place = next((place for place, change in enumerate(self.changes) if change.sent is refused), None)
        if place is None:
            return self.changes
        before, later = dict(self.changes[place].before), list(self.changes[place + 1 :])
        for index, change in enumerate(later):
            values = {name: before.pop(name, value) for name, value in change.before.items()}
            later[index] = replace(change, before=values)
        return (*self.changes[:place], *later)


def _answers(event: e.Event, command: c.Command) -> bool:
    """Return whether `event` may answer `command`."""
    match event, command:
        case e.CommandRefused(command=name, settings=settings), _:
            names = command.settings.keys() if isinstance(command, c.ChangeSettings) else set()
            return name == type(command).__name__ and set(settings) == names
        case e.SettingsChanged(), c.ChangeSettings():
            return command.settings.items() <= event.settings.items()  # the event has the implied settings, too
        case e.FinishPlanned(last_step=last_step), c.Finish(on=on):
            return on == (last_step is not None)
        case e.CheckpointSaved(name=name), c.SaveLatest() | c.SaveCheckpoint():
            # the run saves checkpoints of other names at any time
            return name == (command.name if isinstance(command, c.SaveCheckpoint) else "latest")
        case _:
            return type(event) is _ANSWERS[type(command)]


def format_interval(interval: int) -> str:
    """Describe an interval of steps, where 0 is never."""
    return f"every {interval:,} steps" if interval else "never"


def format_samples(settings: Mapping[str, Setting]) -> str:
    """Describe when tweets are sampled."""
    is_timed = settings["sample_every"] and settings["sample_pacing"] == "seconds"
    return "about one every 2 seconds" if is_timed else format_interval(settings["sample_every"])


def format_speed_limit(steps_per_second: float) -> str:
    """Return a speed limit, not 0: "5 steps/s"."""
    return f"{steps_per_second:g} step{'' if steps_per_second == 1 else 's'}/s"


UNDO_LABELS = {
    "temperature": "temperature",
    "prime": "prime",
    **SETTING_LABELS,
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "steps_per_second": "speed limit",
    "eval_every": "evaluations",
}
"""The settings that an undo restores, in the order of a description; budgets have no undo."""
_FORMATS: dict[str, Callable[[Any], str]] = {
    "temperature": "{:.2f}".format,
    "learning_rate": format_learning_rate,
    "steps_per_second": format_speed_limit,
    "eval_every": format_interval,
}


def _restored(name: str, value: Setting) -> str:
    """Return what an undo of one setting does, in words."""
    if name == "prime" and not value:
        return "prime cleared"
    if name == "steps_per_second" and not value:
        return "speed limit lifted"
    if isinstance(value, str):
        text = format_setting(name, shortened(value, _MAX_VALUE_CELLS))
    else:
        text = shortened(_FORMATS.get(name, partial(format_setting, name))(value), _MAX_VALUE_CELLS)
    return f"{UNDO_LABELS[name]} back to {text}"


def interval_settings(name: Interval, steps: int) -> dict[str, Setting]:
    """Return the settings for this interval; tweets are then sampled at it alone, no longer by time."""
    return {name: steps} | ({"sample_pacing": "interval"} if name == "sample_every" else {})
