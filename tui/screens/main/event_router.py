"""`EventRouter`: passes each event of a run to the controller that shows more of it than the panels do."""

from __future__ import annotations

from dataclasses import dataclass

from engine.protocol import events as e
from engine.protocol import insight
from engine.protocol.events import TextCompleted
from tui.dialogs.ask import Question
from tui.dialogs.base import RunDialog
from tui.run import replay
from tui.screens.main.checkpoints import CheckpointsController
from tui.screens.main.leaving import LeavingController
from tui.screens.main.levels import LevelsController
from tui.screens.main.open_tweets import OpenTweetsController
from tui.screens.main.pins_and_export import PinsAndExportController
from tui.screens.main.run_control import RunControl
from tui.screens.main.sampling import SamplingController
from tui.screens.main.steering import SteeringController
from tui.screens.main.xray import XrayController

_TOASTED = {replay.TITLE}
"""Titles of refusals that come with every key: a dialog each would be in the way."""


@dataclass(frozen=True, kw_only=True)
class EventRouter:
    """The controllers of the main screen by what they show. For the screen's thread."""

    run: RunControl
    leaving: LeavingController
    steering: SteeringController
    sampling: SamplingController
    checkpoints: CheckpointsController
    open_tweets: OpenTweetsController
    pins_and_export: PinsAndExportController
    xray: XrayController
    levels: LevelsController

    def route(self, event: e.Event) -> None:  # noqa: C901, PLR0912 - one case per kind of event
        """Do what an event needs beyond drawing."""
        toast = self.run.messages.toast
        match event:
            case e.CommandRefused():
                self._route_refusal(event)
            case e.CheckpointSaved(name=name):
                self.checkpoints.report_saved(name)
            case e.CheckpointLoaded(name=name, step=step):
                self.checkpoints.report_loaded(name, step)
            case e.Warned(kind="outcome", message=message):
                self.run.messages.result("The run on one tweet", message)
            case e.Warned(kind="finished"):
                pass  # the end bar shows it
            case e.Warned(kind=kind, message=message):
                toast(message, "information" if kind == "disk-works" else "warning")
            case e.RunFinished() | e.RunFailed():
                self._route_end(event)
            case e.RunStarted(run=run):
                self.pins_and_export.open_file(run)
            case e.FinishPlanned(last_step=None):
                toast("Finish cancelled: the learning rate follows its schedule again.")
            case e.FinishPlanned(last_step=last_step):
                toast(f"Finishing: the learning rate falls to zero until step {last_step:,}. f cancels.")
            case e.ThreadsChanged(message=message):
                toast(f"The steps now run in {message}.")
            case TextCompleted():
                self.sampling.prompt.show(event)
            case insight.BatchShown():
                self.xray.show_batch(event)
            case insight.InsightEvent():
                self.xray.show(event)
            case _:
                pass  # the panels show it

    def _route_refusal(self, refusal: e.CommandRefused) -> None:
        """Show a refusal where its command came from, as a toast, or in a dialog."""
        is_brief = refusal.title in _TOASTED
        if any(isinstance(screen, RunDialog) and screen.shows(refusal) for screen in self.run.app.screen_stack):
            return
        match refusal.command:
            case "Stop" if not is_brief:
                self.leaving.confirm_unsaved_exit(refusal)
            case "CompleteText":
                self.sampling.prompt.show_refusal(refusal.detail)
            case "MeasureBaselines":
                self.levels.show_refusal(refusal.detail)
            case "ShowBatch":
                self.xray.show_refusal(refusal)
            case _ if self.xray.show_refusal(refusal):
                pass
            case _ if refusal.command == "Finish" or is_brief:
                self.run.messages.toast(refusal.detail)
            case _:
                self.run.messages.error(refusal.title, refusal.detail, refusal.hint)

    def _route_end(self, ended: e.RunFinished | e.RunFailed) -> None:
        """Show why the run has ended, unless the user ends it."""
        self.sampling.show_end()
        if self.run.is_ending:
            return
        if isinstance(ended, e.RunFailed):
            remedy = self.steering.memory_alert.remedy if self.steering.memory_alert else ""
            answers = {**({"a": remedy} if remedy else {}), "o": "open other tweets"}
            dialog = Question(ended.title, ended.detail, answers, ended.hint, "error")
            self.run.messages.failure(dialog, self._on_failure_answer)

    def _on_failure_answer(self, answer: str | None) -> None:
        """Do what was chosen over a run that has failed."""
        if answer == "open other tweets":
            self.open_tweets.action_open()
        elif answer:
            self.steering.action_answer_alert()
