"""The main screen: panels over one run, the tick that folds its events into a view, and the controllers of its keys.

The key table names the action of each key: `steering.pause` is `action_pause` of the controller in `steering`. A key
becomes a command; what that changes comes back as events, which `EventRouter` passes to the controllers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Paste
from textual.screen import Screen
from textual.widgets import Static

from tui.dialogs.base import RunUpdated
from tui.run.connection import RunConnection
from tui.run.new_run import OverlayCurve
from tui.run.view import RunView
from tui.screens.main.batch import BatchController
from tui.screens.main.budget import BudgetController
from tui.screens.main.checkpoints import CheckpointsController
from tui.screens.main.event_router import EventRouter
from tui.screens.main.leaving import LeavingController
from tui.screens.main.levels import LevelsController
from tui.screens.main.open_tweets import OpenTweetsController
from tui.screens.main.pins_and_export import PinsAndExportController
from tui.screens.main.preferences import ScreenPreferencesController
from tui.screens.main.run_control import RunControl
from tui.screens.main.sampling import SamplingController
from tui.screens.main.services import Services
from tui.screens.main.steering import SteeringController
from tui.screens.main.tweet_details import TweetDetailsController
from tui.screens.main.xray import XrayController
from tui.settings.key_table import MAIN_KEYS
from tui.settings.keys import KeyMap, bindings_of, mapped, opening
from tui.widgets.bars import EndBar, StepBar
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.panels import FramePacing, Panels
from tui.widgets.prompt_line import PromptLine
from tui.widgets.status.stage_hint import StageHint

TICK_SECONDS = 0.1


class MainScreen(Screen[None]):
    """Show the run of a bridge, and steer it."""

    AUTO_FOCUS = "TweetFeed"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(MAIN_KEYS, can_change=True)

    def __init__(
        self,
        bridge: RunConnection,
        view: RunView,
        services: Services,
        clock: Callable[[], float] = time.monotonic,
        overlay: OverlayCurve | None = None,
        pace: FramePacing | None = None,
    ) -> None:
        """Begin with `view`; the bridge is started once the screen is up.

        `overlay` is a curve to compare with; the panels draw at `pace`, by default that of this terminal.
        """
        super().__init__()
        self._pace = pace
        self.invitation = ""
        """Shown while the run starts; may be empty."""
        run = self.run = RunControl(self, bridge, view, services, clock)
        self.leaving = LeavingController(run, clock)
        self.budget = BudgetController(run, self.leaving)
        self.steering = SteeringController(run, self.leaving, self.budget)
        self.batches = BatchController(run, self.steering)
        self.sampling = SamplingController(run)
        self.checkpoints = CheckpointsController(run, self.leaving, overlay)
        self.open_tweets = OpenTweetsController(run, self.leaving)
        self.pins_and_export = PinsAndExportController(run)
        self.xray = XrayController(run)
        self.tweet_details = TweetDetailsController(run, self.sampling, self.pins_and_export, self.xray)
        self.levels = LevelsController(run)
        self.preferences = ScreenPreferencesController(run)
        self._router = EventRouter(
            run=run,
            leaving=self.leaving,
            steering=self.steering,
            batches=self.batches,
            sampling=self.sampling,
            checkpoints=self.checkpoints,
            open_tweets=self.open_tweets,
            pins_and_export=self.pins_and_export,
            xray=self.xray,
            tweet_details=self.tweet_details,
            levels=self.levels,
        )

    @property
    def panels(self) -> Panels:
        """The panels, which act on some keys themselves."""
        return self.run.panels

    @property
    def run_view(self) -> RunView:
        """The run after the events so far."""
        return self.run.view

    @property
    def key_map(self) -> KeyMap:
        """The user's keys in place of those of the key table."""
        return self.preferences.key_map

    @property
    def opening_keys(self) -> frozenset[str]:
        """The keys that open a line or a dialog: those that pause and finish, too, once the run is over."""
        keys = mapped(MAIN_KEYS, self.key_map)
        at_end = ("pause", "finish") if self.run.is_at_end else ()
        return opening(replace(key, opens=key.opens or key.name in at_end) for key in keys)

    def compose(self) -> ComposeResult:
        """Lay out the panels, and the line shown in their place if the terminal is too small."""
        yield Panels(self._pace)
        yield Static("At least 40 columns and 12 rows are needed. The run continues.", markup=False, id="too-small")

    def on_mount(self) -> None:
        """Start the session and the tick."""
        self.run.bridge.start()
        self.preferences.mount()
        self.levels.mount()
        self.checkpoints.mount()
        if self.run.name:  # attached or resumed: tweets can be pinned before its start, or that is no event any more
            self.pins_and_export.open_file(self.run.name)
        self.panels.query_one(StageHint).invitation = self.invitation
        self.tick()
        self.set_interval(TICK_SECONDS, self.tick)
        self.leaving.mount(self.tick)
        if self.run.bridge.welcome:
            self.run.messages.toast(self.run.bridge.welcome)

    def tick(self) -> None:
        """Fold what happened since the last tick into the view, and show it."""
        bridge = self.run.bridge
        has_ended = not bridge.is_alive  # asked before draining, so that no last event is missed
        events = self.run.drain()
        if not self._is_covered:
            self.panels.tick(self.run.shown_view, bridge.stage, bridge.host_pid)
            self.panels.query_one(StepBar).show(self.run.view.last_step_taken, self.run.step_note)
            is_read_only = bool(bridge.refusal or bridge.interruption)
            self.panels.query_one(EndBar).show(self.run.view, is_read_only=is_read_only)
        self.panels.show_attachment(bridge.badge)
        self.run.show_alert()
        key_state = self.run.key_state
        self.panels.show_key_state(key_state)
        self.tweet_details.tick(key_state)
        for screen in self.app.screen_stack:
            screen.post_message(RunUpdated(events, self.run.unmet()))
        for event in events:
            self._router.route(event)
        self.run.messages.tick()
        self.leaving.tick(has_ended=has_ended)
        self.levels.tick()
        self.preferences.tick()
        self.checkpoints.tick()
        self.sampling.tick()
        self.batches.tick()
        self.xray.tick(key_state)

    @property
    def _is_covered(self) -> bool:
        """Whether a whole screen is on top. Textual (8.2) would repaint all of that for each cell drawn below it."""
        return self.app.screen is not self and not self.app.screen.is_modal

    @on(PromptLine.CompletionRequested)
    def _complete_prompt(self, message: PromptLine.CompletionRequested) -> None:
        self.sampling.complete(message.command)

    @on(PromptLine.Submitted)
    def _sample_from_prompt(self, message: PromptLine.Submitted) -> None:
        self.sampling.sample(message.text, message.draw)

    @on(PromptLine.XrayRequested)
    def _open_xray(self, message: PromptLine.XrayRequested) -> None:
        self.xray.open(message.text)

    @on(PromptLine.Closed)
    def _on_prompt_closed(self) -> None:
        self.sampling.restore_focus()

    @on(TweetFeed.Opened)
    def _open_tweet(self, message: TweetFeed.Opened) -> None:
        self.tweet_details.open(message.tweet)

    def on_paste(self, event: Paste) -> None:
        """Open what is dropped into the terminal."""
        self.open_tweets.open_dropped(event.text)
