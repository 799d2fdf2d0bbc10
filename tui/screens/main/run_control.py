"""`RunControl`: the run on the main screen, with its panels and messages, for the controllers of the keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.screen import Screen

from tui.run.connection import RunConnection
from tui.run.model import Need, RunModel, Severity, first_reason, unmet_needs
from tui.run.view import RunView
from tui.screens.main.messages import Messages
from tui.screens.main.services import Services
from tui.settings.keys import Key
from tui.terminal.app import loss_unit_of
from tui.text.numbers import LossUnit
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.panels import Panels


class RunControl(RunModel):
    """View, commands, panels and messages of the run on a screen. For the screen's thread."""

    def __init__(
        self, screen: Screen[Any], bridge: RunConnection, view: RunView, services: Services, clock: Callable[[], float]
    ) -> None:
        """Show `view` until the first events; the bridge is started by the screen."""
        super().__init__(bridge, view, notify=self._toast, on_sent=self._draw)
        self.screen = screen
        self.services = services
        self.messages = Messages(screen, clock, services.drop_typed_ahead)

    def _toast(self, text: str, severity: Severity) -> None:
        self.messages.toast(text, severity)

    def _draw(self) -> None:
        self.panels.show_status(self.shown)

    @property
    def bridge(self) -> RunConnection:
        """The connection to the run."""
        return self.connection

    @property
    def shown_view(self) -> RunView:
        """The view with the settings that were sent and are not answered yet."""
        return self.shown

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

    def show_alert(self) -> None:
        """Show the most urgent alert, or none."""
        self.panels.show_alert(self.alert(self.loss_unit))

    def unmet(self) -> dict[Need, str]:
        """Return which needs are not met now, those that only the screen knows among them."""
        has_tweet = self.screen.query_one(TweetFeed).chosen is not None
        return unmet_needs(self, has_tweet=has_tweet, is_in_browser=self.app.is_web)

    def allows(self, *needs: Need) -> bool:
        """Return whether the needs of an action are met; notify the user if not."""
        reason = first_reason(needs, self.unmet())
        if reason:
            self.messages.refuse(reason)
        return not reason

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

    def can_act(self, key: Key) -> bool:
        """Return whether a key can act now; notify the user if not."""
        return self.allows(*key.needs)


class Controller:
    """The actions of some keys: of a row `steering.pause` of the key table, `action_pause` of the controller."""

    def __init__(self, run: RunControl) -> None:
        """Act on this run."""
        self._run = run

    def check_action(self, _action: str, _parameters: tuple[object, ...]) -> bool:
        """Return that every action may run: `App.run_action` refuses those that can't act."""
        return True
