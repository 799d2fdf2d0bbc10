"""What the user has asked for and the session has not yet answered, so that a key shows at once. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.commands import CancelFinish, Command, Finish, Pause, Resume, SetLearningRate, SetSampling
from engine.config import (
    MAX_LEARNING_RATE,
    MAX_TEMPERATURE,
    MIN_LEARNING_RATE,
    MIN_TEMPERATURE,
    TrainingConfig,
)
from engine.events import CommandRefused, Event, FinishCancelled, FinishPlanned, Paused, Resumed
from tui.run_view import RunView
from tui.setting_commands import SettingCommand, answered_by, expected_answer, is_setting
from tui.state import apply

TEMPERATURE_STEP = 0.05
LEARNING_RATE_FACTOR = 10**0.1
"""Ten steps are a factor of ten."""


@dataclass(frozen=True)
class Wishes:
    """The commands on their way; None where nothing is."""

    settings: tuple[SettingCommand, ...] = ()
    """Not yet answered, the oldest first. Only the last answer of a kind ends the wish: others may look the same."""
    is_paused: bool | None = None
    is_finishing: bool | None = None
    num_finishes_unanswered: int = 0
    """Wishes to finish or not, sent and not yet answered; as with the settings, the last answer counts."""

    def over(self, view: RunView) -> RunView:
        """Return the view as it will be once all settings asked for are in use."""
        for command in {type(command): command for command in self.settings}.values():
            view = apply(view, expected_answer(command, view))
        return view

    def after_sending(self, command: Command) -> Wishes:
        """Return what is unanswered once `command` was sent too."""
        match command:
            case Pause() | Resume():
                return replace(self, is_paused=isinstance(command, Pause))
            case Finish() | CancelFinish():
                num_unanswered = self.num_finishes_unanswered + 1
                return replace(self, is_finishing=isinstance(command, Finish), num_finishes_unanswered=num_unanswered)
            case _:
                return replace(self, settings=(*self.settings, command)) if is_setting(command) else self

    def after(self, event: Event) -> Wishes:
        """Return what is still unanswered after `event`."""
        match event:
            case Paused() | Resumed() if isinstance(event, Paused) == self.is_paused:
                return replace(self, is_paused=None)
            case CommandRefused(command="Pause" | "Resume"):
                return replace(self, is_paused=None)
            case FinishPlanned() | FinishCancelled() | CommandRefused(command="Finish" | "CancelFinish"):
                num_unanswered = max(0, self.num_finishes_unanswered - 1)
                is_finishing = self.is_finishing if num_unanswered else None
                return replace(self, num_finishes_unanswered=num_unanswered, is_finishing=is_finishing)
            case _:
                return self._with_answer(answered_by(event))

    def _with_answer(self, kind: type[SettingCommand] | None) -> Wishes:
        """Return what is still unanswered after one more answer to commands of a kind."""
        place = next((place for place, command in enumerate(self.settings) if type(command) is kind), None)
        return self if place is None else replace(self, settings=self.settings[:place] + self.settings[place + 1 :])

    def other_temperature(self, view: RunView, direction: int) -> SetSampling:
        """Return the command for one temperature step up (1) or down (-1)."""
        sampling = self.over(view).sampling
        temperature = round(sampling.temperature + direction * TEMPERATURE_STEP, 2)
        temperature = min(max(temperature, MIN_TEMPERATURE), MAX_TEMPERATURE)
        return SetSampling(sampling=replace(sampling, temperature=temperature))

    def other_learning_rate(self, view: RunView, direction: int) -> SetLearningRate:
        """Return the command for one step of the highest learning rate up (1) or down (-1)."""
        training = self.over(view).training or TrainingConfig()
        rate = float(f"{training.learning_rate * LEARNING_RATE_FACTOR**direction:.6g}")
        return SetLearningRate(learning_rate=min(max(rate, MIN_LEARNING_RATE), MAX_LEARNING_RATE))

    def pause_toggled(self, view: RunView) -> Pause | Resume:
        """Return the command to pause or go on, whichever the last wish was not."""
        is_paused = view.phase == "paused" if self.is_paused is None else self.is_paused
        return Resume() if is_paused else Pause()

    def finish_toggled(self, view: RunView) -> Finish | CancelFinish:
        """Return the command to finish or not yet, whichever the last wish was not."""
        is_finishing = view.is_finishing if self.is_finishing is None else self.is_finishing
        return CancelFinish() if is_finishing else Finish()
