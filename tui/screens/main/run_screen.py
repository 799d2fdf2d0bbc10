"""The screen of a run without its keys: the view, the tick that folds events into it, sending commands, leaving.

What the keys do stands beside it, one concern a file: `steering`, `sampling`, `checkpoints`, `open_tweets`. `screen`
puts them together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from textual.screen import Screen

from engine.errors import exit_code_for
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.text import harmless
from tui.process.outcome import Outcome
from tui.process.signals import INTERRUPTED_CODE
from tui.run.alerts import Watch
from tui.run.branching import OtherCurve
from tui.run.bridge import Bridge
from tui.run.exit_codes import reason_of
from tui.run.pending import PendingCommands
from tui.run.reducer import fold
from tui.run.summary import UNSAVED_CODE
from tui.run.undo import Undo
from tui.run.view import RunView
from tui.screens.dialogs.checkpoint_rename import YesDialog
from tui.screens.dialogs.leave import LeaveDialog
from tui.screens.main.messages import Teller
from tui.screens.main.services import Runs
from tui.settings.keymap import KeyMap
from tui.widgets.panels import Panels

TICK_SECONDS = 0.1
_LEAVING_TICK_SECONDS = 0.02
_BY_USER = "stopped by the user"
_MAX_SAVING_SECONDS = 5.0
_MAX_ABANDONING_SECONDS = 0.5
"""A run that has not started has nothing to save."""


@dataclass(frozen=True)
class _Ending:
    """The session was told to end: what comes then, when to wait no longer, and why it is to end."""

    then: Callable[[], None]
    deadline: float
    reason: str = _BY_USER


def _nothing() -> None:
    """Do nothing more."""


class RunScreen(Screen[None]):
    """Shows the run of a bridge; knows no key."""

    def __init__(
        self,
        bridge: Bridge,
        view: RunView,
        runs: Runs,
        clock: Callable[[], float] = time.monotonic,
        beside: OtherCurve | None = None,
    ) -> None:
        """Begin with `view`; the bridge is started once the screen is up. `beside` is a curve to compare with."""
        super().__init__()
        self.run_view = view
        self._bridge = bridge
        self._runs = runs
        self._clock = clock
        self._beside = beside
        self._pending = PendingCommands()
        self._undo = Undo()
        self._watch = Watch.of_late_comer(view) if bridge.is_elsewhere else Watch()
        self._ending: _Ending | None = None
        self._has_asked_to_end = False
        """Whether the run was asked to end, and has not refused."""
        self._teller = Teller(self, clock, runs.drop_typed_ahead)

    def on_mount(self) -> None:
        """Start the session and the tick."""
        self._bridge.start()
        self.tick()
        self.set_interval(TICK_SECONDS, self.tick)
        self._leaving_timer = self.set_interval(_LEAVING_TICK_SECONDS, self.tick, pause=True)
        if self._bridge.welcome:
            self._teller.toast(self._bridge.welcome)

    def tick(self) -> None:
        """Take in what happened since the last tick."""
        has_ended = not self._bridge.is_alive  # asked before draining, so that no last event is missed
        update = self._bridge.drain()
        events = update.events
        missed_end: e.Event | None = None
        if update.view is not None:  # what is pending may have been answered by an event that was missed
            missed_end = update.view.ended if self.run_view.ended is None else None
            self.run_view, self._pending, self._watch = update.view, PendingCommands(), Watch.of_late_comer(update.view)
        self.run_view = fold(self.run_view, events)
        for event in events:
            if isinstance(event, e.CommandRefused):
                self._undo = self._undo.after_refusal(self._pending.answered_by(event))
            self._pending = self._pending.after(event)
            self._watch = self._watch.after(event)
        self._watch = self._watch.over(self.run_view)
        self._panels.tick(self._shown_view, self._bridge.stage)
        self._panels.show_attachment(self._bridge.badge, is_read_only=bool(self._bridge.refusal))
        self._show_alert()
        for event in events if missed_end is None else (missed_end, *events):
            self._route(event)
        if self._ending is not None and (has_ended or self._clock() > self._ending.deadline):
            ending, self._ending = self._ending, _Ending(_nothing, math.inf)  # once: the tick goes on for a while
            if not has_ended:  # no screen is left that could be asked whether to end without saving
                self._bridge.stop(ending.reason)
            ending.then()

    def _route(self, event: e.Event) -> None:
        """Do what an event needs beyond drawing."""

    @property
    def is_leaving(self) -> bool:
        """Whether the session was told to end."""
        return self._ending is not None

    @property
    def key_map(self) -> KeyMap:
        """The keys that the user has put in place of those of the key table."""
        return self._runs.keeper.preferences.keys

    @property
    def _panels(self) -> Panels:
        return self.query_one(Panels)

    @property
    def _shown_view(self) -> RunView:
        return self._pending.apply_to(self.run_view)

    def _may_steer(self) -> bool:
        """Return whether this screen may change the run; notify the user if it may not."""
        if self._bridge.refusal:
            self._teller.refuse(self._bridge.refusal)
        return not self._bridge.refusal

    def _may_switch(self) -> bool:
        """Return whether another run may be chosen now; notify the user if not."""
        if self._ending is not None:
            self._teller.refuse("The run is ending.")
        return self._ending is None and self._may_steer()

    def _can_command(self) -> bool:
        """Return whether the session accepts commands now; notify the user if not."""
        return self._may_switch() and self._teller.may_command(self.run_view.phase)

    def _show_alert(self) -> None:
        """Show the alert that is most urgent now, or none."""
        self._panels.show_alert(self._watch.alert(self.run_view, self._bridge.config))

    def _send(self, command: Command, *, is_undo: bool = False) -> None:
        """Send a command, and show at once what it will change."""
        if not is_undo:
            self._undo = self._undo.after_sending(command, self._shown_view)
        self._pending = self._pending.after_sending(command)
        self._bridge.send(command)
        self._panels.show_status(self._shown_view)

    def action_leave(self) -> None:
        """Stop, save and leave; ask first where another process trains, as the run can go on."""
        is_on = self.run_view.ended is None and self._bridge.is_alive and self._ending is None
        if not (self._bridge.is_elsewhere and is_on) or self._bridge.refusal:
            self.leave(0)
            return
        run = self.run_view.started.run if self.run_view.started is not None else ""
        self.app.push_screen(LeaveDialog(run, self._bridge.num_screens), self._leave_as_answered)

    def _leave_as_answered(self, answer: Literal["end", "leave"] | None) -> None:
        """End the run, or only leave it."""
        if answer == "end" or (answer == "leave" and self.run_view.ended is not None):
            self.leave(0)
        elif answer == "leave":
            self.action_detach()

    def action_detach(self) -> None:
        """Give the shell back; the run goes on without a screen."""
        if self.run_view.is_replay or self.run_view.ended is not None:
            self._teller.toast("There is no run that could go on without a screen; q leaves.")
        elif self._ending is None and self._bridge.attach_problem:
            question = (
                f"No terminal can attach to this run: {harmless(self._bridge.attach_problem)} "
                "Without a screen it goes on until its budget is used up or its process is told to end."
            )
            self.app.push_screen(YesDialog("Detach?", question, "detach"), self._answer_detaching)
        else:
            self._go_without_screen()

    def _answer_detaching(self, choice: Literal["yes"] | None) -> None:
        """Detach where the user wants to although no terminal can attach."""
        if choice == "yes":
            self._go_without_screen()

    def _go_without_screen(self) -> None:
        if self._ending is None:
            self._ending = _Ending(_nothing, math.inf)  # a key that is on its way already must not end the run
            self.detach()

    def detach(self, exit_code: int = 0) -> None:
        """Close the screen and let the run continue."""
        self._close(exit_code, is_detached=True)

    def leave(self, return_code: int) -> None:
        """Leave once the session has saved and ended; a second call with a code other than 0 leaves at once."""
        leaving = partial(self._exit, return_code, is_abandoned=self.is_leaving and return_code == INTERRUPTED_CODE)
        if self._ending is None:
            reason = reason_of(return_code) or _BY_USER
            # whoever sends a signal is not there to be asked
            self._end_then(leaving, "ctrl+c leaves at once", reason, may_ask=return_code in {0, INTERRUPTED_CODE})
        elif return_code != 0:
            if self._has_asked_to_end:
                self._bridge.stop(self._ending.reason)
            leaving()
        else:
            self._ending = replace(self._ending, then=leaving)

    def _end_then(self, then: Callable[[], None], notice: str, reason: str = _BY_USER, *, may_ask: bool = True) -> None:
        """Have the session save and end, and call `then` after it or when it takes too long.

        Where it can't save and one `may_ask`, the user is asked first.
        """
        if self.run_view.ended is not None or not self._bridge.is_alive:
            self._bridge.stop(reason)  # one that has not begun must not begin any more
            then()
            return
        has_work = self.run_view.phase != "starting" and not self.run_view.is_replay
        patience = _MAX_SAVING_SECONDS if has_work else _MAX_ABANDONING_SECONDS
        self._ending = _Ending(then, self._clock() + patience, reason)
        self._bridge.stop(reason, unless_unsaved=may_ask)
        self._has_asked_to_end = not self._bridge.refusal
        self._panels.show_notice(f"saving…  {harmless(notice)}" if has_work else "ending…")
        self._leaving_timer.resume()

    def ask_to_lose(self, refusal: e.CommandRefused) -> None:
        """Ask whether to end all the same, where the session was to end and can't save; else go on."""
        ending, self._ending = self._ending, None
        self._has_asked_to_end = False
        self._leaving_timer.pause()
        self._panels.show_notice("")
        if ending is None:  # somebody else at this run was to be asked
            return

        def answer(choice: Literal["yes"] | None) -> None:
            if choice == "yes":
                self._end_then(ending.then, "ctrl+c leaves at once", ending.reason, may_ask=False)

        question = f"{refusal.detail} Leave all the same?"
        self.app.push_screen(YesDialog("Not saved", question, "leave and lose it"), answer)

    def _exit(self, return_code: int, *, is_abandoned: bool = False) -> None:
        """End the app. The code of a failed run comes before the one asked for."""
        ended = self.run_view.ended
        if isinstance(ended, e.RunFailed):
            return_code = exit_code_for(ended.title)
        elif ended is not None and self.run_view.num_unsaved_steps:
            return_code = return_code or UNSAVED_CODE
        self._close(return_code, is_abandoned=is_abandoned)

    def _close(self, exit_code: int, *, is_detached: bool = False, is_abandoned: bool = False) -> None:
        outcome = Outcome(
            exit_code=exit_code,
            is_detached=is_detached,
            is_ending=self._has_asked_to_end,
            is_abandoned=is_abandoned,
        )
        self.app.exit(outcome, exit_code)
