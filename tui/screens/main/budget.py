"""The end of a run: continue it with a larger budget, finish it, or start a new run on the same tweets."""

from __future__ import annotations

from functools import partial

from engine.errors import TweetgenError
from engine.protocol.commands import Finish, Resume
from tui.dialogs.ask import BudgetDialog
from tui.run.ending import NO_LIMIT, Budget, Choice, ChoiceName, budget_in, finish_choice
from tui.run.new_run import config_at_start, config_of_new_run, curve_of
from tui.run.view import is_over
from tui.screens.main.leaving import LeavingController
from tui.screens.main.run_control import Controller, RunControl


class BudgetController(Controller):
    """Changes where the run ends, also after its end."""

    def __init__(self, run: RunControl, leaving: LeavingController) -> None:
        """Continue this run; `leaving` ends it where another follows."""
        super().__init__(run)
        self._leaving = leaving

    def action_change(self) -> None:
        """Choose how much longer the run trains."""
        self._ask()

    def ask_to_finish(self) -> None:
        """Choose how a run whose budget is used up continues, the cursor on the choice to finish it."""
        self._ask("finish")

    def _ask(self, chosen: ChoiceName = "steps") -> None:
        if self._run.can_command():
            dialog = BudgetDialog(self._run.view, self._budget_at_start(), chosen)
            self._run.app.push_screen(dialog, self._apply)

    def _budget_at_start(self) -> Budget:
        """Return the budget that the run began with, which a new run gets."""
        started = self._run.view.started
        if started is None or not is_over(self._run.view):
            return NO_LIMIT
        return budget_in(config_at_start(self._run.bridge.config, started).settings)

    def _apply(self, choice: Choice | None) -> None:
        """Send the commands of a choice, and resume a run that was over; or start a new one."""
        if choice is None or not self._run.can_command():
            return
        if choice.name == "new run":
            self._start_new()
            return
        was_over = is_over(self._run.view)
        if choice.name == "finish":  # the run may have reached its end since the dialog was opened
            choice = finish_choice(self._run.view)
        for command in (*choice.commands, *([Resume()] if was_over else [])):
            self._run.send(command)
        if not any(isinstance(command, Finish) for command in choice.commands):  # its answer is a toast
            self._run.messages.toast(f"The run trains {choice.effect}.")

    def _start_new(self) -> None:
        """End this run, and start another on its tweets; the plot shows both curves."""
        started = self._run.view.started
        if started is None:
            return
        try:
            config = config_of_new_run(self._run.bridge.config, started)
        except TweetgenError as error:
            self._run.messages.error(error.title, error.message, error.hint)
            return
        start = partial(self._run.services.start, config, curve_of(self._run.view))
        self._leaving.end_then(start, "then a new run on the same tweets")
