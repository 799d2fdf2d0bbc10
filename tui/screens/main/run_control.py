"""`RunControl`: view, alerts and pending commands of the run on the main screen; sends the commands of the controllers.

Folds the bridge's events into the view, tracks unanswered commands, and refuses keys while the run accepts no command.
Draws only what a command changes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, get_args

from textual.app import App
from textual.screen import Screen

from engine.protocol.commands import Command
from engine.protocol.events import Event
from tui.run.alerts import AlertMonitor
from tui.run.connection import RunConnection
from tui.run.fold import fold
from tui.run.pending import Change, CommandBook
from tui.run.view import RunView, is_over
from tui.screens.main.messages import Messages
from tui.screens.main.services import Services
from tui.settings.availability import KeyState, lacking
from tui.settings.key_table import Need
from tui.text.numbers import LossUnit
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.panels import Panels
from tui.widgets.terminal_info import loss_unit_of


def _missed(before: RunView, view: RunView) -> Iterator[Event]:
    """Yield those of the events missed before a view replaced another that the screen has to react to."""
    if before.started is None and view.started is not None:
        yield view.started
    yield from (warned for warned in view.warnings if warned not in before.warnings)
    if before.ended is None and view.ended is not None:
        yield view.ended


class RunControl:
    """View, commands, panels and messages of the run on a screen. For the screen's thread."""

    def __init__(
        self, screen: Screen[Any], bridge: RunConnection, view: RunView, services: Services, clock: Callable[[], float]
    ) -> None:
        """Show `view` until the first events; the bridge is started by the screen."""
        self.screen = screen
        self.bridge = bridge
        self.services = services
        self.messages = Messages(screen, clock, services.drop_typed_ahead)
        self.view = view
        """The run after the events so far."""
        self.commands = CommandBook()
        self.alerts = AlertMonitor.for_attached(view) if bridge.is_remote else AlertMonitor()
        self.num_gaps = 0
        """How often events were missed: answers to queries may be among them."""
        self._interruption = ""
        """That of the bridge at the last tick."""
        self.is_ending = False
        """Whether the session was asked to end."""
        self.has_paused_to_step = False
        """Whether the run was last paused by the key that takes single steps."""

    @property
    def app(self) -> App[Any]:
        """The app, which shows dialogs and ends."""
        return self.screen.app

    @property
    def loss_unit(self) -> LossUnit:
        """The unit of all losses on the screen."""
        return loss_unit_of(self.screen)

    @property
    def panels(self) -> Panels:
        """The panels over the run."""
        return self.screen.query_one(Panels)

    @property
    def shown_view(self) -> RunView:
        """The view with the settings that were sent and are not answered yet; starting while it is interrupted."""
        view = self.commands.apply_to(self.view)
        return replace(view, phase="starting") if self._interruption and not is_over(view) else view

    @property
    def name(self) -> str:
        """The run's name; empty before its start."""
        return self.view.started.run if self.view.started is not None else ""

    @property
    def has_model(self) -> bool:
        """Whether a session answers questions about the run's model."""
        view = self.view
        return view.phase in {"training", "paused"} and not view.is_replay and not self.is_ending

    @property
    def is_at_end(self) -> bool:
        """Whether the run is paused because its budget is used up, so that it can be continued with a larger one."""
        return self.view.shown_phase != self.view.phase

    @property
    def step_note(self) -> str:
        """How to go on where the run was paused to take single steps; empty elsewhere."""
        is_paused = self.has_paused_to_step and self.view.shown_phase == "paused"
        return "paused: . takes one step, space resumes" if is_paused else ""

    def drain(self) -> tuple[Event, ...]:
        """Fold the events since the last call into the view; return those that the screen has to react to."""
        update = self.bridge.drain()
        events = update.events
        self._report_interruption()
        if update.view is not None:  # events were missed, and may have answered what is pending
            self.num_gaps += 1
            events = (*_missed(self.view, update.view), *events)
            self.view = update.view
            self.commands = CommandBook(changes=self.commands.changes)
            self.alerts = AlertMonitor.for_attached(update.view)
        self.view = fold(self.view, update.events)
        for event in update.events:
            answered = self.commands.answered_by(event)
            self.commands = self.commands.after_event(event)
            self.alerts = self.alerts.after_event(event, answered)
        self.alerts = self.alerts.after_tick(self.view)
        return events

    def _report_interruption(self) -> None:
        """Notify the user once no command reaches the run any more, and once they do if one may be lost."""
        before, self._interruption = self._interruption, self.bridge.interruption
        if self._interruption and not before and not self.is_ending:
            self.messages.toast(self._interruption, "warning")
        elif before and not self._interruption and self.commands.pending:
            self.messages.toast("The last key before the interruption may have had no effect.", "warning")

    def send(self, command: Command) -> bool:
        """Send a command, and show at once what it will change."""
        self.commands = self.commands.after_sending(command, self.shown_view)
        self._send(command)
        return True

    @property
    def shown(self) -> RunView:
        """The view with the settings that were sent and are not answered yet; starting while it is interrupted."""
        return self.shown_view

    @property
    def connection(self) -> RunConnection:
        """How the screen reaches the run."""
        return self.bridge

    def unmet(self) -> dict[Need, str]:
        """Return what keys lack now, each with its sentence."""
        state = self.key_state
        return {need: reason for need in get_args(Need) if (reason := lacking(need, state))}

    def undo(self) -> Change | None:
        """Undo the last change of a setting and return it; None without one."""
        self.commands, change = self.commands.undone()
        if change is not None:
            self._send(change.inverse)
        return change

    def _send(self, command: Command) -> None:
        self.bridge.send(command)
        self.panels.show_status(self.shown_view)

    def show_alert(self) -> None:
        """Show the most urgent alert, or none."""
        self.panels.show_alert(self.alerts.alert(self.view, self.bridge.config, self.loss_unit))

    @property
    def key_state(self) -> KeyState:
        """What decides whether keys can act now."""
        view = self.view
        return KeyState(
            phase=view.phase,
            run=self.name,
            is_at_end=self.is_at_end,
            is_ending=self.is_ending,
            is_replay=view.is_replay,
            refusal=self.bridge.refusal,
            interruption=self.bridge.interruption,
            has_alert=self.panels.alert is not None,
            has_tweet=self.screen.query_one(TweetFeed).chosen is not None,
            has_prime=bool(self.shown_view.sampling.prime),
            has_change=bool(self.commands.changes),
            has_steps=bool(len(view.train_losses)),
            is_in_browser=self.app.is_web,
        )

    def allows(self, need: Need) -> bool:
        """Return whether a need of an action is met; notify the user if not."""
        return self._allow(lacking(need, self.key_state))

    def can_steer(self) -> bool:
        """Return whether this screen may change the run; notify the user if not."""
        return self.allows("steering")

    def can_switch(self) -> bool:
        """Return whether another run may be chosen now; notify the user if not."""
        return self.allows("switching")

    def can_ask(self) -> bool:
        """Return whether the session answers questions now, also a read-only screen's; notify the user if not."""
        return self.allows("answers")

    def can_command(self) -> bool:
        """Return whether the session accepts commands now; notify the user if not."""
        return self.allows("commands")

    def _allow(self, refusal: str) -> bool:
        if refusal:
            self.messages.refuse(refusal)
        return not refusal


class Controller:
    """The actions of some keys: of a row `steering.pause` of the key table, `action_pause` of the controller."""

    def __init__(self, run: RunControl) -> None:
        """Act on this run."""
        self._run = run

    def check_action(self, _action: str, _parameters: tuple[object, ...]) -> bool:
        """Return that every action may run: `App.run_action` refuses those that can't act."""
        return True
