"""Steering: pause, finish, settings of the running training, undo, and the remedies of alerts."""

from __future__ import annotations

import math
from functools import partial

from engine.config.run import MAX_BATCH_SIZE, TrainingConfig
from engine.protocol.commands import ChangeSettings, Pause, TakeStep
from tui.dialogs.ask import ask_number
from tui.run.alerts import Alert, commands_for, config_to_resume
from tui.run.pending import (
    Interval,
    format_interval,
    format_samples,
    format_speed_limit,
    other_interval,
    other_learning_rate,
    other_temperature,
)
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
            self._run.has_paused_to_step = False
            self._run.send(self._run.commands.pause_toggled(self._run.view))

    def action_step(self) -> None:
        """Take one step while paused; while training, pause instead. A repeated key has one step under way at most."""
        can_step = self._run.can_command() and self._run.allows("steps to come")
        if not can_step or self._run.commands.is_taking_step:
            return
        toggled = self._run.commands.pause_toggled(self._run.view)
        if isinstance(toggled, Pause):
            self._run.has_paused_to_step = True
            self._run.send(toggled)
        else:
            self._run.send(TakeStep())

    def action_finish(self) -> None:
        """Finish the run, or cancel that; ask first how to continue a run whose budget is used up."""
        if self._run.is_at_end:
            self._budget.ask_to_finish()
        elif self._run.can_command():
            self._run.send(self._run.commands.finish_toggled(self._run.view))

    def action_temperature(self, direction: int) -> None:
        """Raise (1) or lower (-1) the temperature by a step."""
        if self._run.can_command():
            self._run.send(other_temperature(self._run.shown_view, direction))

    def action_learning_rate(self, direction: int) -> None:
        """Raise (1) or lower (-1) the learning rate by a step."""
        if self._run.can_command():
            self._run.send(other_learning_rate(self._run.shown_view, direction))

    def action_undo(self) -> None:
        """Undo the last change of a setting."""
        if self._run.can_command() and self._run.allows("a change") and (change := self._run.undo()):
            self._run.messages.toast(f"Undone: {change.description}.")

    def action_batch_size(self) -> None:
        """Ask for another batch size."""
        if self._run.can_command():
            question = ask_number(
                title="Batch size",
                sentence="Number of tweets in a step. The position in the epoch is kept.",
                value=self._training.batch_size,
                low=1,
                high=MAX_BATCH_SIZE,
            )
            self._run.app.push_screen(question, self._set_batch_size)

    def _set_batch_size(self, batch_size: int | None) -> None:
        if batch_size is not None and batch_size != self._training.batch_size and self._run.can_command():
            self._run.send(ChangeSettings(settings={"batch_size": batch_size}))

    def action_speed_limit(self) -> None:
        """Ask for a limit of the steps per second."""
        if self._run.can_command():
            question = ask_number(
                title="Speed limit",
                sentence="Steps per second at most, to watch the model learn; 0: no limit.",
                value=math.ceil(self._training.steps_per_second),
                low=0,
                high=MAX_STEPS_PER_SECOND,
            )
            self._run.app.push_screen(question, self._set_speed_limit)

    def _set_speed_limit(self, limit: int | None) -> None:
        if limit is None or limit == self._training.steps_per_second or not self._run.can_command():
            return
        self._run.send(ChangeSettings(settings={"steps_per_second": limit}))
        toast = f"Speed limit: {format_speed_limit(limit)}; u undoes it." if limit else "No speed limit."
        self._run.messages.toast(toast)

    def action_interval(self, what: Interval) -> None:
        """Ask how often to evaluate, or to sample a tweet for the feed."""
        if self._run.can_command():
            is_evaluation, training = what == "eval_every", self._training
            question = ask_number(
                title=f"Steps between {'evaluations' if is_evaluation else 'tweets'}",
                sentence=f"Steps between two {'evaluations' if is_evaluation else 'tweets of the feed'}; 0: none. "
                f"Now {format_interval(training.eval_every) if is_evaluation else format_samples(vars(training))}.",
                value=getattr(training, what),
                low=0,
                high=MAX_INTERVAL,
            )
            self._run.app.push_screen(question, partial(self._set_interval, what))

    def _set_interval(self, what: Interval, interval: int | None) -> None:
        settings = {} if interval is None else other_interval(self._training, what, interval)
        if interval is None or not settings or not self._run.can_command():
            return
        self._run.send(ChangeSettings(settings=settings))
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
            remedy = tuple(commands_for(alert, self._run.view))
            self._run.alerts = self._run.alerts.with_remedy_sent(alert, remedy)
            for command in remedy:
                self._run.send(command)
            self._run.show_alert()

    def action_dismiss_alert(self) -> None:
        """Dismiss the alert until the problem recurs."""
        alert = self._run.panels.alert
        if alert is not None:
            self._run.alerts = self._run.alerts.with_dismissed(alert)
            self._run.show_alert()

    def _try_again(self) -> None:
        """Resume, in a new session, the run that has run out of memory."""
        config = config_to_resume(self._run.view, self._run.bridge.config)
        if config is not None and not self._run.is_ending:
            self._leaving.end_then(partial(self._run.services.start, config), "then it resumes")

    @property
    def memory_alert(self) -> Alert | None:
        """The alert that offers to resume after a memory failure, if there is one."""
        alerts = self._run.alerts
        return alerts.alert(self._run.view, self._run.bridge.config) if "memory" in alerts.up else None
