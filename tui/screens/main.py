"""The main screen: panels over one `RunView`, ticked ten times a second.

A tick drains the bridge, folds the events into the view, lets the panels draw, and routes the few events that need more
than drawing. Keys become commands; what they change comes back as events.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, assert_never

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.command import Provider
from textual.events import Paste
from textual.screen import Screen
from textual.widgets import Static

from engine import events as e
from engine.commands import Command, LoadCheckpoint, SampleLadder, SampleNow, SaveCheckpoint
from engine.errors import exit_code_for
from engine.text import harmless
from tui.bridge import EngineBridge
from tui.keys import MAIN_KEYS, bindings_of
from tui.other_tweets import dropped_path, on_other_tweets
from tui.screens.dialog import FailureDialog
from tui.screens.help_screen import HelpScreen
from tui.screens.ladder_dialog import LadderDialog
from tui.screens.load_dialog import LoadDialog
from tui.screens.other_run import Runs, dialog_for_other_run
from tui.screens.palette import KeyCommands
from tui.screens.save_dialog import SaveDialog
from tui.screens.teller import Teller
from tui.screens.wishes import Wishes
from tui.state import RunView, apply
from tui.widgets.loss_plot import LossPlot
from tui.widgets.panels import Panels

TICK_SECONDS = 0.1
_LEAVING_TICK_SECONDS = 0.02
_MAX_SAVING_SECONDS = 5.0
_MAX_ABANDONING_SECONDS = 0.5
"""A run that has not started has nothing to save."""


@dataclass(frozen=True)
class _Ending:
    """The session was told to end: what comes then, and when to wait no longer."""

    then: Callable[[], None]
    deadline: float


def _nothing() -> None:
    """Do nothing more."""


class MainScreen(Screen[None]):
    """Show the run of a bridge, and steer it."""

    AUTO_FOCUS = "TweetFeed"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(MAIN_KEYS)
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {KeyCommands}

    def __init__(
        self,
        bridge: EngineBridge,
        view: RunView,
        runs: Runs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with `view`; the bridge is started once the screen is up."""
        super().__init__()
        self.run_view = view
        self._bridge = bridge
        self._runs = runs
        self._clock = clock
        self._wishes = Wishes()
        self._ending: _Ending | None = None
        self._names_to_save: set[str] = set()
        self._ladder_dialog: LadderDialog | None = None
        self._teller = Teller(self, clock)

    def compose(self) -> ComposeResult:
        """Lay out the panels, and the line that stands in for them in a very small terminal."""
        yield Panels()
        yield Static("This needs 40 columns and 12 rows. The run goes on.", markup=False, id="too-small")

    def on_mount(self) -> None:
        """Start the session and the tick."""
        self._bridge.start()
        self.tick()
        self.set_interval(TICK_SECONDS, self.tick)

    def tick(self) -> None:
        """Take in what happened since the last tick."""
        has_ended = not self._bridge.is_alive  # asked before draining, so that no last event is missed
        events = self._bridge.drain()
        for event in events:
            self.run_view = apply(self.run_view, event)
            self._wishes = self._wishes.after(event)
        self._panels.tick(self._shown_view, self._bridge.stage)
        for event in events:
            self._route(event)
        if self._ending is not None and (has_ended or self._clock() > self._ending.deadline):
            then, self._ending = self._ending.then, _Ending(_nothing, math.inf)  # once: the tick goes on for a while
            then()

    @property
    def _panels(self) -> Panels:
        return self.query_one(Panels)

    @property
    def _shown_view(self) -> RunView:
        return self._wishes.over(self.run_view)

    def _route(self, event: e.Event) -> None:  # noqa: C901, PLR0912 - one case per kind of event
        """Do what an event needs beyond drawing."""
        match event:
            case e.CommandRefused(command="Finish", detail=detail):
                self._teller.toast(detail)
            case e.CommandRefused(title=title, detail=detail, hint=hint):
                self._teller.error(title, detail, hint)
            case e.CheckpointSaved(name=name) if name in self._names_to_save:
                self._names_to_save.discard(name)
                self._teller.toast(f"Saved as {name}.")
            case e.CheckpointLoaded(name=name, step=step):
                self._teller.toast(f"Loaded {name}: goes on from step {step:,}.")
            case e.LadderSampled() if self._ladder_dialog is not None:
                self._ladder_dialog.show(event)
            case e.Warned(message=message):
                self._teller.toast(message, "warning")
            case e.RunFinished(reason=reason) if self._ending is None:
                self._teller.toast(f"The run is over: {reason}. Read on as you like; q leaves, o opens other tweets.")
            case e.RunFailed(title=title, detail=detail, hint=hint) if self._ending is None:
                self.app.push_screen(FailureDialog(title, detail, hint), self._open_after_failure)
            case e.RunStarted() | e.StepsFinished() | e.EvalFinished() | e.TweetSampled():
                pass
            case e.ModelChanged() | e.LearningRateChanged() | e.SamplingChanged() | e.Paused() | e.Resumed():
                pass
            case e.FinishPlanned(last_step=last_step):
                self._teller.toast(f"Finishing: the learning rate falls until step {last_step:,}. f again: not yet.")
            case e.FinishCancelled():
                self._teller.toast("Not finishing: the run goes on at its learning rate.")
            case e.ThreadsChanged():  # the status panel tells
                pass
            case e.CheckpointSaved() | e.LadderSampled() | e.RunFinished() | e.RunFailed():
                pass
            case _:
                assert_never(event)

    def _can_command(self) -> bool:
        """Say whether the session takes commands now; tell the user if it does not."""
        return self._teller.may_command(self.run_view.phase) and self._ending is None

    def _send(self, command: Command) -> None:
        """Send a command, and show at once what it will change."""
        self._bridge.send(command)
        self._panels.show_status(self._shown_view)

    def action_pause(self) -> None:
        """Pause or resume."""
        if self._can_command():
            self._wishes, command = self._wishes.with_pause_toggled(self.run_view)
            self._send(command)

    def action_finish(self) -> None:
        """Finish the run, or take that back."""
        if self._can_command():
            self._wishes, command = self._wishes.with_finish_toggled(self.run_view)
            self._send(command)

    def action_temperature(self, direction: int) -> None:
        """Raise (1) or lower (-1) the temperature by a step."""
        if self._can_command():
            self._wishes, command = self._wishes.with_other_temperature(self.run_view, direction)
            self._send(command)

    def action_sample(self) -> None:
        """Write a tweet now."""
        if self._can_command():
            self._send(SampleNow())

    def action_ladder(self) -> None:
        """Open the temperature ladder and roll the first."""
        if self._can_command():
            self._ladder_dialog = LadderDialog(self._roll_ladder)
            self.app.push_screen(self._ladder_dialog, self._forget_ladder)
            self._roll_ladder()

    def _roll_ladder(self) -> None:
        """Ask for a ladder from a seed of its own."""
        if self._can_command():
            self._send(SampleLadder(seed=secrets.randbelow(1_000_000), prime=self._shown_view.sampling.prime))

    def _forget_ladder(self, _answer: None) -> None:
        self._ladder_dialog = None

    def action_save(self) -> None:
        """Ask for a name and save under it."""
        if self._can_command():
            self.app.push_screen(SaveDialog(f"step-{self.run_view.step}"), self._save)

    def _save(self, command: SaveCheckpoint | None) -> None:
        if command is not None and self._can_command():
            self._names_to_save.add(command.name)
            self._send(command)

    def action_load(self) -> None:
        """List the checkpoints and load the one chosen."""
        if self._can_command():
            self.app.push_screen(LoadDialog(self._runs.list_checkpoints), self._load)

    def _load(self, command: LoadCheckpoint | None) -> None:
        if command is not None and self._can_command():
            self._send(command)

    def action_unit(self) -> None:
        """Switch the plot between nats and bits."""
        self.query_one(LossPlot).toggle_unit()

    def action_help(self) -> None:
        """Show the help."""
        self.app.push_screen(HelpScreen())

    def action_open(self) -> None:
        """Choose other tweets, and start a new run on them."""
        self._open()

    def on_paste(self, event: Paste) -> None:
        """Open what was dropped into the terminal; text that is no path is nothing to this screen."""
        path = dropped_path(event.text)
        if path is not None:
            self._open(path.absolute())

    def _open_after_failure(self, answer: Literal["open"] | None) -> None:
        if answer == "open":
            self._open()

    def _open(self, dropped: Path | None = None) -> None:
        """Open the dialog for other tweets, at those dropped or beside those of this run."""
        if self._ending is None:
            dialog = dialog_for_other_run(self._runs.check, self._bridge.config, lambda: self.run_view, dropped)
            self.app.push_screen(dialog, self._start_other)

    def _start_other(self, path: Path | None) -> None:
        """End this run and start another."""
        if path is not None and self._ending is None:
            config = on_other_tweets(self._bridge.config, path)
            self._end_then(partial(self._runs.start, config), f"then a new run on {path.name}")

    def action_leave(self) -> None:
        """Stop, save and leave."""
        self.leave(0)

    def leave(self, return_code: int) -> None:
        """Leave once the session has saved and ended; a second call with a code other than 0 leaves at once."""
        leaving = partial(self._exit, return_code)
        if self._ending is None:
            self._end_then(leaving, "ctrl+c leaves at once")
        elif return_code != 0:
            leaving()
        else:
            self._ending = replace(self._ending, then=leaving)

    def _end_then(self, then: Callable[[], None], notice: str) -> None:
        """Have the session save and end, and call `then` after it or when it takes too long."""
        if self.run_view.ended is not None or not self._bridge.is_alive:
            then()
            return
        has_work = self.run_view.phase != "starting"
        patience = _MAX_SAVING_SECONDS if has_work else _MAX_ABANDONING_SECONDS
        self._ending = _Ending(then, self._clock() + patience)
        self._bridge.stop("stopped by the user")
        self._panels.show_notice(f"saving…  {harmless(notice)}" if has_work else "ending…")
        self.set_interval(_LEAVING_TICK_SECONDS, self.tick)

    def _exit(self, return_code: int) -> None:
        """End the app. The code of a failed run comes before the one asked for."""
        ended = self.run_view.ended
        self.app.exit(return_code=exit_code_for(ended.title) if isinstance(ended, e.RunFailed) else return_code)
