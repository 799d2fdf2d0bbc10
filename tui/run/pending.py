"""The commands that change settings of a run: the step of a key, the expected answer, the inverse, in words. Pure.

`CommandBook`: which commands of this screen have no answer yet, and which of its changes can be undone. Pure.

A session executes the commands of a type in the order in which they were sent, but changes of sampling alone overtake
other changes. So an event answers the oldest of its type; of changes of settings, the oldest with the values of the
event. An event caused by another client's command looks the same; therefore a type is pending until its last answer.

A change is recorded as its command is sent, with what the screen showed before, so that a key pressed before any answer
is undone correctly. A refused command has changed nothing and is removed. There is no redo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, get_args

from engine.config.run import (
    LIVE_SETTINGS,
    MAX_LEARNING_RATE,
    MIN_LEARNING_RATE,
    Setting,
    TrainingConfig,
    implied_settings,
)
from engine.config.sampling import MAX_TEMPERATURE, MIN_TEMPERATURE, SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.protocol.commands import ChangeSettings, Command
from engine.protocol.events import Event, SettingsChanged
from tui.run.fold import apply
from tui.run.view import RunView
from tui.text.cells import shortened
from tui.text.numbers import format_count, format_learning_rate, format_temperature
from tui.text.tweets import SETTING_LABELS, format_setting

Interval = Literal["eval_every", "sample_every"]
INTERVALS_IN_STEPS: tuple[Interval, ...] = get_args(Interval)

TEMPERATURE_STEP = 0.05
LEARNING_RATE_FACTOR = 10**0.1
"""Ten steps are a factor of ten."""
_MAX_VALUE_CELLS = 24


def other_temperature(view: RunView, direction: int) -> ChangeSettings:
    """Return the command for one temperature step up (1) or down (-1) from what is shown."""
    temperature = round(view.sampling.temperature + direction * TEMPERATURE_STEP, 2)
    return ChangeSettings(settings={"temperature": min(max(temperature, MIN_TEMPERATURE), MAX_TEMPERATURE)})


def other_learning_rate(view: RunView, direction: int) -> ChangeSettings:
    """Return the command for one step of the peak learning rate up (1) or down (-1) from what is shown."""
    training = view.training or TrainingConfig()
    rate = float(f"{training.learning_rate * LEARNING_RATE_FACTOR**direction:.6g}")
    return ChangeSettings(settings={"learning_rate": min(max(rate, MIN_LEARNING_RATE), MAX_LEARNING_RATE)})


def other_sampling(view: RunView, sampling: SamplingConfig) -> ChangeSettings:
    """Return the command for other sampling settings than those shown."""
    shown = vars(view.sampling)
    return ChangeSettings(settings={name: value for name, value in vars(sampling).items() if value != shown[name]})


def other_interval(training: TrainingConfig, name: Interval, steps: int) -> dict[str, Setting]:
    """Return the settings for this interval, at which alone tweets are then sampled; none if `training` has them."""
    settings: dict[str, Setting] = {name: steps}
    if name == "sample_every":
        settings["sample_pacing"] = "interval"
    return settings if settings.items() - vars(training).items() else {}


def expected_answer(settings: Mapping[str, Setting], view: RunView) -> SettingsChanged:
    """Return the event that will answer the command to change these settings."""
    changed = {**settings, **implied_settings(settings, view.training or TrainingConfig())}
    return SettingsChanged(step=view.step, elapsed_seconds=view.elapsed_seconds, settings=changed, epochs=view.epoch)


def inverse_of(command: ChangeSettings, view: RunView) -> ChangeSettings:
    """Return the command that restores what `command` changes to its values in `view`."""
    training = view.training or TrainingConfig()
    values = vars(training) | vars(view.sampling)
    changed = LIVE_SETTINGS.intersection([*command.settings, *implied_settings(command.settings, training)])
    return ChangeSettings(settings={name: value for name, value in values.items() if name in changed})


def undo_description(inverse: ChangeSettings, command: ChangeSettings) -> str:
    """Describe what `inverse` restores after `command`; empty where both set the same, and for a budget."""
    return ", ".join(_differences(inverse.settings, command.settings))


def _differences(back: Mapping[str, Setting], settings: Mapping[str, Setting]) -> Iterator[str]:
    """Yield each setting that differs, with its value in `back`."""
    for name, words in UNDO_WORDS.items():
        if name in back and name in settings and settings[name] != back[name]:
            yield words(back[name])
    if "sample_every" in settings and format_samples(back) != format_samples(settings):
        yield f"tweets back to {format_samples(back)}"


def format_interval(interval: int) -> str:
    """Describe an interval of steps, where 0 is never."""
    return f"every {format_count(interval)} steps" if interval else "never"


def format_samples(settings: Mapping[str, Setting]) -> str:
    """Describe when tweets are sampled."""
    is_timed = settings["sample_every"] and settings.get("sample_pacing") == "seconds"
    return "about one every 2 seconds" if is_timed else format_interval(settings["sample_every"])


def format_speed_limit(steps_per_second: float) -> str:
    """Return a speed limit, not 0: "5 steps/s"."""
    return f"{steps_per_second:g} step{'' if steps_per_second == 1 else 's'}/s"


def _setting_back(name: str, value: Setting) -> str:
    return f"{SETTING_LABELS[name]} back to {shortened(format_setting(name, value), _MAX_VALUE_CELLS)}"


UNDO_WORDS: Mapping[str, Callable[[Any], str]] = {
    "temperature": lambda value: f"temperature back to {format_temperature(value)}",
    "prime": lambda value: f"prime back to “{shortened(value, _MAX_VALUE_CELLS)}”" if value else "prime cleared",
    **{name: partial(_setting_back, name) for name in SETTING_LABELS},
    "learning_rate": lambda value: f"learning rate back to {format_learning_rate(value)}",
    "batch_size": lambda value: f"batch size back to {format_count(value)}",
    "steps_per_second": lambda value: (
        f"speed limit back to {format_speed_limit(value)}" if value else "speed limit lifted"
    ),
    "eval_every": lambda value: f"evaluations back to {format_interval(value)}",
}
"""The words for a setting that an undo restores to a value, in the order of a description; budgets have no undo."""


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
