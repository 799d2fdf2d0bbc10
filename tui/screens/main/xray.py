"""The X-ray: opens its screen over the main screen, and has a model answer what it asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ConfigError
from engine.protocol.events import CommandRefused
from engine.protocol.insight import BatchShown, Insight, InsightEvent, MeasureBaselines, ShowBatch
from engine.storage.folders import folder_of_run
from tui.run.checkpoint_bridge import CheckpointBridge
from tui.screens.main.run_control import Controller, RunControl
from tui.settings.availability import KeyState
from tui.widgets.feed.feed import TweetFeed

if TYPE_CHECKING:
    from tui.screens.xray.screen import XrayScreen
    from tui.widgets.xray.panel import XrayPanel

_COMMANDS = {kind.__name__ for kind in Insight.__subclasses__() if kind is not MeasureBaselines}


class XrayController(Controller):
    """The key that opens the X-ray, and the model behind it: that of the run, or of its checkpoint once it has none."""

    def __init__(self, run: RunControl) -> None:
        """Look into the model of this run."""
        super().__init__(run)
        self._screen: XrayScreen | None = None
        self._checkpoint: CheckpointBridge | None = None
        self._problem = ""
        """Why no model can answer; empty where one can."""
        self._situation: tuple[bool, bool, int] | None = None
        self._row = 0
        """Which tweet of the next batch to show, modulo the size of that."""
        self._replaced_text: str | None = None
        """The text in whose place a training tweet is awaited; None if none is."""

    def action_open_xray(self) -> None:
        """Open the selected tweet, or else the newest.

        An untrained model writes noise: in its place, and without any tweet, a training tweet is shown as soon as a
        batch is known; where there will be none, a text is typed.
        """
        feed = self._run.screen.query_one(TweetFeed)
        tweet = feed.chosen
        is_noise = tweet is None or (tweet.step == 0 and not feed.is_highlighting)
        if is_noise and (self._run.has_model or self._run.view.phase == "starting"):
            self.open("", awaits_tweet=True)
        else:
            self.open(None if tweet is None else tweet.text)

    def action_training_tweet(self) -> None:
        """Show the next tweet of the batch of the last step."""
        if self._screen is not None and self._run.can_ask():
            self._row += 1
            self._replaced_text = self._screen.panel.text
            self._run.send(ShowBatch())

    def open(self, text: str | None, *, awaits_tweet: bool = False) -> None:
        """Open the X-ray on a text, or on a training tweet once there is one; for None, have a text typed."""
        from tui.screens.xray.screen import XrayScreen  # not at the start: it has some 30 modules

        if self._screen is None:  # a key pressed twice at once
            self._replaced_text = "" if awaits_tweet else None
            self._screen = XrayScreen(text, self._ask, self._run.services.store.preferences.keys)
            self._screen.panel.tick(self._run.view.step)  # a first question of another step would soon be repeated
            self._choose_model(self._screen.panel)
            self._run.app.push_screen(self._screen, self._on_closed)

    def tick(self, key_state: KeyState) -> None:
        """Show the state of the run and of its keys, and the answers of a checkpoint."""
        if self._screen is None:
            return
        panel = self._screen.panel
        self._choose_model(panel)
        for answer in self._checkpoint.drain() if self._checkpoint is not None else ():
            if isinstance(answer, InsightEvent):
                panel.show(answer)
            elif isinstance(answer, CommandRefused):
                panel.show_refusal(answer.command, answer.detail)
        self._screen.tick(self._run.view, self._run.step_note, key_state)

    def show(self, answer: InsightEvent) -> None:
        """Show an answer, if the X-ray is open."""
        if self._screen is not None:
            self._screen.panel.show(answer)

    def show_batch(self, batch: BatchShown) -> None:
        """Show a tweet of a batch, if one is awaited and no other text was typed meanwhile."""
        if self._screen is not None and self._replaced_text == self._screen.panel.text and batch.rows:
            self._replaced_text = None
            self._screen.panel.open(batch.rows[self._row % len(batch.rows)].text)
            self._screen.panel.ask_again()

    def show_refusal(self, refusal: CommandRefused) -> bool:
        """Show why there is no answer, if the X-ray is still open; return whether only an X-ray asks such commands."""
        if refusal.command == "ShowBatch" and self._replaced_text is not None:
            self._replaced_text = None
            self._run.messages.toast(refusal.detail)
        if self._screen is not None:
            self._screen.panel.show_refusal(refusal.command, refusal.detail)
        return refusal.command in _COMMANDS

    def _choose_model(self, panel: XrayPanel) -> None:
        """Choose the model that answers, where another can than before or answers were lost, and ask again."""
        view, has_model = self._run.view, self._run.has_model
        situation = (has_model, view.phase == "starting", self._run.num_gaps)
        if situation == self._situation:
            return
        self._situation = situation
        self.close_checkpoint()
        self._problem = "The run is still starting: it has no weights yet." if view.phase == "starting" else ""
        source = ""
        if not has_model and not self._problem:
            path = _checkpoint_of(self._run.name)
            if path is None:
                self._problem = "No model is running, and the run has no checkpoint on this machine."
            else:
                self._checkpoint = CheckpointBridge(path)
                source = f"checkpoint {path.stem}"
        panel.ask_again(source)
        if self._replaced_text is not None and has_model:
            self._run.send(ShowBatch())

    def _ask(self, command: Insight) -> None:
        """Have the chosen model answer a command."""
        if self._problem and self._screen is not None:
            self._screen.panel.show_refusal(type(command).__name__, self._problem)
        elif self._checkpoint is not None:
            self._checkpoint.send(command)
        elif self._replaced_text is None or (self._screen is not None and self._screen.panel.text):
            self._run.bridge.send(command)

    def _on_closed(self, _answer: None) -> None:
        self._screen = self._situation = self._replaced_text = None
        self.close_checkpoint()

    def close_checkpoint(self) -> None:
        """End the thread that answers from a checkpoint, if there is one."""
        if self._checkpoint is not None:
            self._checkpoint.close()
            self._checkpoint = None


def _checkpoint_of(run: str) -> Path | None:
    """Return the best checkpoint of a run, or else its latest; None without one on this machine."""
    try:
        folder = folder_of_run(run)
    except ConfigError:  # a journal from elsewhere can claim any name
        return None
    paths = (folder.checkpoint_path(name) for name in ("best", "latest"))
    return next((path for path in paths if path.is_file()), None)
