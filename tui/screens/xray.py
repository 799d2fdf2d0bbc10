"""`XrayScreen`: the X-ray of a text over a run: its panel, a line to type another text, what a step did, and the keys.

The run's model answers what the panel asks; once there is none, a checkpoint of the run does.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input, Static

from engine.errors import ConfigError
from engine.protocol.events import CommandRefused, Event
from engine.protocol.insight import MAX_TRACED_CHARS, BatchShown, InsightEvent, ShowBatch
from engine.storage.folders import folder_of_run
from engine.text import sanitize_line
from tui.dialogs.base import RunUpdated
from tui.run.model import RunModel
from tui.screens.checkpoint_bridge import CheckpointBridge
from tui.settings.key_table import Key, keys_of
from tui.settings.keys import KeyMap, bindings_of, mapped
from tui.widgets.bars import StepBar
from tui.widgets.key_bar import PAUSE_LABELS, KeyBar
from tui.widgets.line_input import LineInput
from tui.widgets.xray.panel import XrayPanel, xray_bar_keys
from tui.xray.state import ViewName


class TextLine(Horizontal):
    """The line in which a text is typed; hidden until it is opened."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,tab,shift+tab", "close_line", show=False)]

    def compose(self) -> ComposeResult:
        yield Static("› ", markup=False, id="xray-sign")
        yield LineInput(
            compact=True, select_on_focus=False, max_length=MAX_TRACED_CHARS, placeholder="any text; enter looks at it"
        )

    def open(self, text: str) -> None:
        self.add_class("-open")
        line = self.query_one(LineInput)
        line.value = text
        line.select_all()
        self.screen.set_focus(line)  # immediately: `focus` would let the next keys act on the screen

    def action_close_line(self) -> None:
        self.remove_class("-open")
        self.screen.set_focus(self.screen.query_one(XrayPanel))


class XrayScreen(Screen[None]):
    """Show the X-ray of a text."""

    AUTO_FOCUS = "XrayPanel"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("xray screen"), can_change=True)

    def __init__(self, run: RunModel, text: str | None, key_map: KeyMap, *, awaits_tweet: bool = False) -> None:
        """Show `text`, or a training tweet as soon as there is a batch; for None, have a text typed."""
        super().__init__()
        self._run_model = run
        self._is_without_text = text is None
        self._replaced_text = "" if awaits_tweet else None
        """The text in whose place a training tweet is awaited; None if none is."""
        self._row = 0
        """Which tweet of the next batch to show, modulo the size of that."""
        self._checkpoint: CheckpointBridge | None = None
        self._problem = ""
        """Why no model can answer; empty where one can."""
        self._situation: tuple[bool, bool, int] | None = None
        self._key_map = key_map
        self.panel = XrayPanel(text or "")
        self.panel.tick(run.view.step)  # a first question of another step would soon be repeated
        self._step_bar = StepBar()
        self._key_bar = KeyBar(self._bar_keys(self.panel.view_name), target=self.panel)
        self._choose_model()

    def compose(self) -> ComposeResult:
        yield self.panel
        yield self._step_bar
        yield TextLine()
        yield self._key_bar

    def on_mount(self) -> None:
        """Ask for a text where there is none."""
        if self._is_without_text:
            self.action_edit()

    def on_unmount(self) -> None:
        """End the thread that answers from a checkpoint, if there is one."""
        if self._checkpoint is not None:
            self._checkpoint.close()

    @on(RunUpdated)
    def _follow(self, message: RunUpdated) -> None:
        """Show the answers, the state of the run and of its keys, and follow it."""
        run = self._run_model
        for event in message.events:
            if isinstance(event, BatchShown):
                self._show_tweet_of(event)
            elif isinstance(event, CommandRefused) and event.command == "ShowBatch" and self._replaced_text is not None:
                self._replaced_text = None
                self.notify(sanitize_line(event.detail), markup=False)
            self._show(event)
        self._choose_model()
        for answer in self._checkpoint.drain() if self._checkpoint is not None else ():
            self._show(answer)
        self._key_bar.unmet = message.unmet
        self._key_bar.pause_label = PAUSE_LABELS.get(run.view.shown_phase, "pause")
        self._step_bar.show(run.view.last_step_taken, run.step_note)
        self.panel.tick(run.view.step)

    def _show_tweet_of(self, batch: BatchShown) -> None:
        """Show a tweet of a batch, if one is awaited and no other text was typed meanwhile."""
        if self._replaced_text == self.panel.text and batch.rows:
            self._replaced_text = None
            self.panel.open(batch.rows[self._row % len(batch.rows)].text)
            self.panel.ask_again()

    def _show(self, event: Event) -> None:
        if isinstance(event, InsightEvent):
            self.panel.show(event)
        elif isinstance(event, CommandRefused):
            self.panel.show_refusal(event.command, event.detail)

    def _choose_model(self) -> None:
        """Choose the model that answers, where another can than before or answers were lost, and ask again."""
        run = self._run_model
        situation = (run.has_model, run.view.phase == "starting", run.num_gaps)
        if situation == self._situation:
            return
        self._situation = situation
        if self._checkpoint is not None:
            self._checkpoint.close()
            self._checkpoint = None
        self._problem = "The run is still starting: it has no weights yet." if run.view.phase == "starting" else ""
        source = ""
        if not run.has_model and not self._problem:
            path = _checkpoint_of(run.view.name)
            if path is None:
                self._problem = "No model is running, and the run has no checkpoint on this machine."
            else:
                self._checkpoint = CheckpointBridge(path)
                source = f"checkpoint {path.stem}"
        self.panel.ask_again(source)
        if self._replaced_text is not None and run.has_model:
            run.connection.send(ShowBatch())

    @on(XrayPanel.Asked)
    def _ask(self, message: XrayPanel.Asked) -> None:
        """Have the chosen model answer a command."""
        command = message.command
        if not self.panel.expects(command):
            return
        if self._problem:
            self.panel.show_refusal(type(command).__name__, self._problem)
        elif self._checkpoint is not None:
            self._checkpoint.send(command)
        elif self._replaced_text is None or self.panel.text:
            self._run_model.connection.send(command)

    def action_training_tweet(self) -> None:
        """Show the next tweet of the batch of the last step."""
        self._row += 1
        self._replaced_text = self.panel.text
        self._run_model.send(ShowBatch())

    def action_edit(self) -> None:
        self.query_one(TextLine).open(self.panel.text)

    def action_close(self) -> None:
        """Return to the screen below. A key pressed twice at once closes nothing else."""
        if self.app.screen is self:
            self.dismiss(None)

    @on(XrayPanel.ViewChanged)
    def _offer_keys_of(self, message: XrayPanel.ViewChanged) -> None:
        self._key_bar.show_keys(self._bar_keys(message.view))

    def _bar_keys(self, view: ViewName) -> tuple[Key, ...]:
        return mapped(xray_bar_keys(view), self._key_map)

    @on(Input.Submitted)
    def _show_typed(self, event: Input.Submitted) -> None:
        self.panel.open(event.value)
        self.query_one(TextLine).action_close_line()


def _checkpoint_of(run: str) -> Path | None:
    """Return the best checkpoint of a run, or else its latest; None without one on this machine."""
    try:
        folder = folder_of_run(run)
    except ConfigError:  # a journal from elsewhere can claim any name
        return None
    paths = (folder.checkpoint_path(name) for name in ("best", "latest"))
    return next((path for path in paths if path.is_file()), None)
