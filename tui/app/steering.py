"""`Steering`: the keys that change the run: pause, settings, undo, the remedy of an alert, and the budget."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from engine.config.run import BUDGETS, MAX_BATCH_SIZE, RunConfig, TrainingConfig
from engine.errors import TweetgenError
from engine.protocol.commands import Finish, Resume
from tui.dialogs.ask import BudgetDialog, ask_number, show_error
from tui.run.ending import NO_LIMIT, Choice, ChoiceName, finish_choice
from tui.run.model import next_learning_rate, next_temperature
from tui.run.new_run import NewRun, config_at_start, config_of_new_run, curve_of
from tui.run.pending import Interval, format_interval, format_samples, format_speed_limit, interval_settings
from tui.run.view import is_over
from tui.terminal.private import Actions

if TYPE_CHECKING:
    from tui.app.app import TweetgenApp

MAX_INTERVAL = 1_000_000_000
MAX_STEPS_PER_SECOND = 1000


class Steering(Actions):
    """The actions `steering.…` of keys, for one run. `App.run_action` has checked that each can act now."""

    def __init__(self, app: TweetgenApp) -> None:
        self._app, self._run = app, app.main.run

    @property
    def _training(self) -> TrainingConfig:
        """The training settings, with those that were sent and are not answered yet."""
        return self._run.shown.training or TrainingConfig()

    def action_pause(self) -> None:
        """Pause or resume; ask how to continue a run whose budget is used up. A replay pauses, too."""
        if self._run.is_at_end:
            self.action_change()
        else:
            self._run.toggle_pause()

    def action_step(self) -> None:
        """Take one step while paused; while training, pause instead. A repeated key has one step under way at most."""
        self._run.take_step()

    def action_finish(self) -> None:
        """Finish the run, or cancel that; ask first how to continue a run whose budget is used up."""
        if self._run.is_at_end:
            self.action_change("finish")
        else:
            self._run.send(self._run.pending.finish_toggled(self._run.view))

    def action_temperature(self, direction: int) -> None:
        self._run.change(temperature=next_temperature(self._run.shown.sampling.temperature, direction))

    def action_learning_rate(self, direction: int) -> None:
        self._run.change(learning_rate=next_learning_rate(self._training.learning_rate, direction))

    def action_undo(self) -> None:
        if undone := self._run.undo():
            self._app.main.toast(f"Undone: {undone}.")

    def action_batch_size(self) -> None:
        sentence = "Number of tweets in a step. The position in the epoch is kept."
        dialog = ask_number("Batch size", sentence, self._training.batch_size, 1, MAX_BATCH_SIZE)
        self._app.ask(dialog, lambda size: self._run.change(batch_size=size))

    def action_speed_limit(self) -> None:
        sentence = "Steps per second at most, to watch the model learn; 0: no limit."
        limit = math.ceil(self._training.steps_per_second)
        self._app.ask(ask_number("Speed limit", sentence, limit, 0, MAX_STEPS_PER_SECOND), self._set_speed_limit)

    def _set_speed_limit(self, limit: int) -> None:
        if self._run.change(steps_per_second=limit):
            toast = f"Speed limit: {format_speed_limit(limit)}; u undoes it." if limit else "No speed limit."
            self._app.main.toast(toast)

    def action_interval(self, name: Interval) -> None:
        training = self._training
        if name == "eval_every":
            title, what, now = "evaluations", "evaluations", format_interval(training.eval_every)
        else:
            title, what, now = "tweets", "tweets of the feed", format_samples(vars(training))
        sentence = f"Steps between two {what}; 0: none. Now {now}."
        dialog = ask_number(f"Steps between {title}", sentence, getattr(training, name), 0, MAX_INTERVAL)
        self._app.ask(dialog, partial(self._set_interval, name))

    def _set_interval(self, name: Interval, steps: int) -> None:
        if self._run.change(**interval_settings(name, steps)):
            subject = "Evaluations" if name == "eval_every" else "Tweets"
            self._app.main.toast(f"{subject}: {format_interval(steps)}.")

    def action_answer_alert(self) -> None:
        """Do what the alert offers: a run that has run out of memory resumes in a new session."""
        run, alert = self._run, self._run.alert()
        if alert is None:
            return
        if alert.kind != "memory":
            run.answer(alert)
            self._app.main.show_alert()
        else:
            config = RunConfig(resume=run.view.name, runtime=run.connection.config.runtime)
            self._app.leaving.start_after(NewRun(config, "from its latest checkpoint"))

    def action_dismiss_alert(self) -> None:
        if alert := self._run.alert():
            self._run.dismiss(alert)
            self._app.main.show_alert()

    def action_change(self, chosen: ChoiceName = "steps") -> None:
        """Offer the ways to continue, the cursor on `chosen`; of a run that is over, also a new run like it."""
        run, at_start = self._run, NO_LIMIT
        if self._app.main.refuses("commands"):
            return
        if run.view.started is not None and is_over(run.view):
            settings = config_at_start(run.connection.config, run.view.started).settings
            at_start = {name: settings.get(name) for name in BUDGETS}
        self._app.ask(BudgetDialog(run.view, at_start, chosen), self._continue)

    def _continue(self, choice: Choice) -> None:
        """Send the commands of a choice, and resume a run that was over; or start a new one."""
        run = self._run
        if self._app.main.refuses("commands"):
            return
        if choice.name == "new run":
            self._start_new()
            return
        if choice.name == "finish":  # the run may have reached its end since the dialog was opened
            choice = finish_choice(run.view)
        was_over = is_over(run.view)
        for command in (*choice.commands, *([Resume()] if was_over else [])):
            run.send(command)
        if not any(isinstance(command, Finish) for command in choice.commands):  # its answer is a toast
            self._app.main.toast(f"The run trains {choice.effect}.")

    def _start_new(self) -> None:
        """End this run, and start another on its tweets; the plot shows both curves."""
        run = self._run
        if run.view.started is None:
            return
        try:
            config = config_of_new_run(run.connection.config, run.view.started)
        except TweetgenError as error:
            show_error(self._app, error)
            return
        self._app.leaving.start_after(NewRun(config, "on the same tweets", curve_of(run.view)))
