"""The keys that steer the training, take back what was changed, and answer alerts."""

from __future__ import annotations

from functools import partial
from typing import Literal

from engine.config.run import MAX_BATCH_SIZE, TrainingConfig
from engine.protocol.commands import SetBatchSize, SetIntervals
from tui.run.alerts import Alert, commands_for, config_to_go_on
from tui.run.setting_commands import format_interval, other_learning_rate, other_temperature
from tui.screens.dialogs.number import NumberDialog, NumberQuestion
from tui.screens.main.run_screen import RunScreen

MAX_INTERVAL = 1_000_000_000


class Steering(RunScreen):
    """Pause, finish, and what is changed while the run goes on."""

    def action_pause(self) -> None:
        """Pause or resume."""
        if self._can_command():
            self._send(self._pending.pause_toggled(self.run_view))

    def action_finish(self) -> None:
        """Finish the run, or take that back."""
        if self._can_command():
            self._send(self._pending.finish_toggled(self.run_view))

    def action_temperature(self, direction: int) -> None:
        """Raise (1) or lower (-1) the temperature by a step."""
        if self._can_command():
            self._send(other_temperature(self._shown_view, direction))

    def action_learning_rate(self, direction: int) -> None:
        """Raise (1) or lower (-1) the learning rate by a step."""
        if self._can_command():
            self._send(other_learning_rate(self._shown_view, direction))

    def action_undo(self) -> None:
        """Take the last change of a setting back."""
        if not self._can_command():
            return
        self._undo, change = self._undo.taken()
        if change is None:
            self._teller.toast("There is nothing left to undo.")
        else:
            self._send(change.back, is_undo=True)
            self._teller.toast(f"Undone: {change.told}.")

    def action_batch_size(self) -> None:
        """Ask for another batch size."""
        if self._can_command():
            question = NumberQuestion(
                title="Batch size",
                sentence="Tweets that the model reads in one step. The epoch goes on at the same share of it.",
                value=self._training.batch_size,
                low=1,
                high=MAX_BATCH_SIZE,
            )
            self.app.push_screen(NumberDialog(question), self._set_batch_size)

    def _set_batch_size(self, batch_size: int | None) -> None:
        if batch_size is not None and batch_size != self._training.batch_size and self._can_command():
            self._send(SetBatchSize(batch_size=batch_size))

    def action_interval(self, what: Literal["eval_every", "sample_every"]) -> None:
        """Ask how often to evaluate, or to write a tweet for the feed."""
        if self._can_command():
            is_evaluation = what == "eval_every"
            question = NumberQuestion(
                title="Evaluation interval" if is_evaluation else "Tweet interval",
                sentence=f"Steps between two {'evaluations' if is_evaluation else 'tweets of the feed'}; 0 for none.",
                value=self._training.eval_every if is_evaluation else self._training.sample_every,
                low=0,
                high=MAX_INTERVAL,
            )
            self.app.push_screen(NumberDialog(question), partial(self._set_interval, what))

    def _set_interval(self, what: Literal["eval_every", "sample_every"], interval: int | None) -> None:
        now = {"eval_every": self._training.eval_every, "sample_every": self._training.sample_every}
        if interval is None or interval == now[what] or not self._can_command():
            return
        self._send(SetIntervals(**now | {what: interval}))
        subject = "Evaluations" if what == "eval_every" else "Tweets"
        self._teller.toast(f"{subject} come {format_interval(interval)} from now on.")

    @property
    def _training(self) -> TrainingConfig:
        """How the run is trained, as it was last asked for."""
        return self._shown_view.training or TrainingConfig()

    def action_answer_alert(self) -> None:
        """Do what the alert that is up offers."""
        alert = self._panels.alert
        if alert is None:
            self._teller.toast("There is no alert to answer.")
        elif alert.kind == "memory" and self._may_steer():
            self._try_again()
        elif self._can_command():
            self._watch = self._watch.with_answered(alert)
            for command in commands_for(alert, self.run_view):
                self._send(command)
            self._show_alert()

    def action_dismiss_alert(self) -> None:
        """Put the alert that is up aside until it was over."""
        alert = self._panels.alert
        if alert is not None:
            self._watch = self._watch.with_dismissed(alert)
            self._show_alert()

    def _try_again(self) -> None:
        """Go on, in a new session, with the run that has failed for want of memory."""
        config = config_to_go_on(self.run_view, self._bridge.config)
        if config is not None and self._ending is None:
            self._end_then(partial(self._runs.start, config), "then another try")

    @property
    def remedy(self) -> Alert | None:
        """What can be done at once about a run that has failed."""
        return self._watch.alert(self.run_view, self._bridge.config) if "memory" in self._watch.up else None
