"""Steering: pause, finish, settings of the running training, undo, and the remedies of alerts."""

from __future__ import annotations

import math
from functools import partial

from engine.config.run import MAX_BATCH_SIZE, TrainingConfig
from tui.dialogs.ask import NumberDialog, NumberQuestion
from tui.run.alerts import Alert, config_to_resume
from tui.run.model import next_learning_rate, next_temperature
from tui.run.pending import Interval, format_interval, format_samples, format_speed_limit, interval_settings
from tui.screens.main.budget import BudgetController
from tui.screens.main.leaving import LeavingController
from tui.screens.main.run_control import Controller, RunControl

MAX_INTERVAL = 1_000_000_000
MAX_STEPS_PER_SECOND = 1000


class SteeringController(Controller):
    """The keys that change a run while it trains."""

    def __init__(self, run: RunControl, leaving: LeavingController, budget: BudgetController) -> None:
        """Steer this run; `leaving` ends it where another try follows, `budget` continues it after its end."""
        super().__init__(run)
        self._leaving = leaving
        self._budget = budget

    def action_pause(self) -> None:
        """Pause or resume; ask how to continue a run whose budget is used up. A replay pauses, too."""
        if self._run.is_at_end:
            self._budget.action_change()
        elif self._run.allows("pausing"):
            self._run.toggle_pause()

    def action_step(self) -> None:
        """Take one step while paused; while training, pause instead. A repeated key has one step under way at most."""
        if self._run.allows("commands", "steps to come"):
            self._run.take_step()

    def action_finish(self) -> None:
        """Finish the run, or cancel that; ask first how to continue a run whose budget is used up."""
        if self._run.is_at_end:
            self._budget.ask_to_finish()
        elif self._run.can_command():
            self._run.toggle_finish()

    def action_temperature(self, direction: int) -> None:
        """Raise (1) or lower (-1) the temperature by a step."""
        if self._run.can_command():
            self._run.change(temperature=next_temperature(self._run.shown.sampling.temperature, direction))

    def action_learning_rate(self, direction: int) -> None:
        """Raise (1) or lower (-1) the learning rate by a step."""
        if self._run.can_command():
            self._run.change(learning_rate=next_learning_rate(self._training.learning_rate, direction))

    def action_undo(self) -> None:
        """Undo the last change of a setting."""
        if self._run.allows("commands", "a change") and (undone := self._run.undo()):
            self._run.messages.toast(f"Undone: {undone}.")

    def action_batch_size(self) -> None:
        """Ask for another batch size."""
        if self._run.can_command():
            question = NumberQuestion(
                title="Batch size",
                sentence="Number of tweets in a step. The position in the epoch is kept.",
                value=self._training.batch_size,
                low=1,
                high=MAX_BATCH_SIZE,
            )
            self._run.app.push_screen(NumberDialog(question), self._set_batch_size)

    def _set_batch_size(self, batch_size: int | None) -> None:
        if batch_size is not None:
            self._run.change(batch_size=batch_size)

    def action_speed_limit(self) -> None:
        """Ask for a limit of the steps per second."""
        if self._run.can_command():
            question = NumberQuestion(
                title="Speed limit",
                sentence="Steps per second at most, to watch the model learn; 0: no limit.",
                value=math.ceil(self._training.steps_per_second),
                low=0,
                high=MAX_STEPS_PER_SECOND,
            )
            self._run.app.push_screen(NumberDialog(question), self._set_speed_limit)

    def _set_speed_limit(self, limit: int | None) -> None:
        if limit is None or not self._run.change(steps_per_second=limit):
            return
        toast = f"Speed limit: {format_speed_limit(limit)}; u undoes it." if limit else "No speed limit."
        self._run.messages.toast(toast)

    def action_interval(self, what: Interval) -> None:
        """Ask how often to evaluate, or to sample a tweet for the feed."""
        if self._run.can_command():
            is_evaluation, training = what == "eval_every", self._training
            question = NumberQuestion(
                title=f"Steps between {'evaluations' if is_evaluation else 'tweets'}",
                sentence=f"Steps between two {'evaluations' if is_evaluation else 'tweets of the feed'}; 0: none. "
                f"Now {format_interval(training.eval_every) if is_evaluation else format_samples(vars(training))}.",
                value=getattr(training, what),
                low=0,
                high=MAX_INTERVAL,
            )
            self._run.app.push_screen(NumberDialog(question), partial(self._set_interval, what))

    def _set_interval(self, what: Interval, interval: int | None) -> None:
        if interval is None or not self._run.change(**interval_settings(what, interval)):
            return
        subject = "Evaluations" if what == "eval_every" else "Tweets"
        self._run.messages.toast(f"{subject}: {format_interval(interval)}.")

    @property
    def _training(self) -> TrainingConfig:
        """The training settings, with those that were sent and are not answered yet."""
        return self._run.shown_view.training or TrainingConfig()

    def action_answer_alert(self) -> None:
        """Do what the alert offers."""
        alert = self._run.panels.alert
        if alert is None:
            self._run.allows("an alert")
        elif alert.kind == "memory" and self._run.can_steer():
            self._try_again()
        elif self._run.can_command():
            self._run.answer(alert)
            self._run.show_alert()

    def action_dismiss_alert(self) -> None:
        """Dismiss the alert until the problem recurs."""
        alert = self._run.panels.alert
        if alert is not None:
            self._run.dismiss(alert)
            self._run.show_alert()

    def _try_again(self) -> None:
        """Resume, in a new session, the run that has run out of memory."""
        config = config_to_resume(self._run.view, self._run.bridge.config)
        if config is not None and not self._run.is_ending:
            self._leaving.end_then(partial(self._run.services.start, config), "then it resumes")

    @property
    def memory_alert(self) -> Alert | None:
        """The alert that offers to resume after a memory failure, if there is one."""
        return self._run.alert() if "memory" in self._run.alerts.up else None
