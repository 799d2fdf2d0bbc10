"""The panels of the main screen, and when each is drawn: at once after keys, less often over a slow link."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from textual import on

from engine.progress import Stage
from tui.run.alerts import Alert
from tui.run.view import RunView
from tui.settings.availability import KeyState
from tui.terminal.frame_pacing import FramePacing
from tui.widgets.alert_bar import AlertBar
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.header import Header
from tui.widgets.key_bar import PAUSE_LABELS, KeyBar
from tui.widgets.panel_layout import PanelLayout
from tui.widgets.plot.loss_plot import LossPlot
from tui.widgets.stage_hint import StageHint
from tui.widgets.status.side_panel import SidePanel
from tui.widgets.status.status_panel import StatusPanel
from tui.widgets.terminal_info import TerminalInfo

_TICKS_PER_REPORT = 20
"""How long the report on the corpus is shown at least: the first steps may follow it at once."""


class Panels(PanelLayout):
    """Pass each panel the view when it is due."""

    def __init__(self, pace: FramePacing | None = None) -> None:
        """Show an empty view until the first tick; draw at `pace`, or at that of this terminal and processor."""
        super().__init__()
        self._view = RunView()
        self._host_pid: int | None = None
        self._num_ticks = 0
        self._view_in_status: RunView | None = None
        self._last_tick_of_report = 0
        self._tweets_awaited_since: int | None = None
        self._is_plot_late = False
        """Whether a tick showed the answer to a key in the status, and left the plot to the next."""
        is_remote = bool(os.environ.get("SSH_CONNECTION"))
        self._pace = pace or FramePacing(time.monotonic, time.thread_time, is_remote=is_remote)

    @on(SidePanel.MachineShown)
    def _begin_to_measure(self) -> None:
        """Read the machine, which has come into view."""
        self.query_one(SidePanel).begin(self._view, self._host_pid)

    def tick(self, view: RunView, stage: Stage, host_pid: int | None) -> None:
        """Draw what is due of `view`. Ten times a second.

        `stage` is what the session does before its start, `host_pid` the process that trains, None for this one.
        """
        self._view, self._host_pid = view, host_pid
        self._num_ticks += 1
        self._pace.record_tick(self.app.num_waiting_bytes if isinstance(self.app, TerminalInfo) else 0)
        self.make_room_for_toasts()
        is_waiting = self._is_waiting(view)
        self.set_class(is_waiting, "-waiting")
        if is_waiting:
            if stage.report and not self._last_tick_of_report:
                self._last_tick_of_report = self._num_ticks + _TICKS_PER_REPORT
            now = stage if view.phase == "starting" else replace(stage, text="training begins", share=None)
            self.query_one(StageHint).show(now, self._num_ticks)
        is_urgent = self._is_status_urgent(view)
        if self._pace.is_due("plot", is_awaited=is_urgent or self._is_plot_late or view.phase != "training"):
            self.show_status(view)
            self._is_plot_late = is_urgent
            if not is_waiting and not is_urgent:
                self.query_one(LossPlot).show(view)
        if self.query_one(SidePanel).shows_machine and self._pace.is_due("machine"):
            self.query_one(SidePanel).measure(view, host_pid)
        if self._pace.is_due("feed", is_awaited=self._is_tweet_awaited(view)):
            self.query_one(TweetFeed).show(view)
        self.query_one(KeyBar).pause_label = PAUSE_LABELS.get(view.shown_phase, "pause")

    def await_tweet(self, view: RunView) -> None:
        """Draw the next tweet after those of `view` without delay: the user has asked for it."""
        self._tweets_awaited_since = view.num_tweets

    def _is_tweet_awaited(self, view: RunView) -> bool:
        """Return whether to draw tweets before the feed is due."""
        if self._tweets_awaited_since is not None and view.num_tweets > self._tweets_awaited_since:
            self._tweets_awaited_since = None
            return True
        return view.phase != "training" or not view.tweets

    def show_status(self, view: RunView) -> None:
        """Draw the status if the view has changed."""
        if view is not self._view_in_status:
            self._view_in_status = view
            self.query_one(Header).show(view)
            self.query_one(StatusPanel).show(view)
            self.query_one(SidePanel).show(view)

    @property
    def alert(self) -> Alert | None:
        """The alert that is shown."""
        return self.query_one(AlertBar).shown

    def show_alert(self, alert: Alert | None) -> None:
        """Show an alert above the key bar, or none."""
        self.query_one(AlertBar).show(alert)

    def show_attachment(self, badge: str) -> None:
        """Show in the header how the screen is attached."""
        self.query_one(Header).show_badge(badge)

    def show_key_state(self, state: KeyState) -> None:
        """Dim the keys that can't act in this state."""
        self.query_one(KeyBar).state = state

    def show_notice(self, notice: str) -> None:
        """Show a notice in place of the keys, unless it is empty."""
        self.query_one(KeyBar).notice = notice

    def _is_waiting(self, view: RunView) -> bool:
        """Return whether there is nothing to plot yet, or a report on the corpus is still shown."""
        if view.phase not in {"starting", "training"}:
            return False
        has_report = self.has_class("-waiting") and self._num_ticks < self._last_tick_of_report
        return has_report or not len(view.train_losses)

    def _is_status_urgent(self, view: RunView) -> bool:
        """Return whether something has changed that the user waits for."""
        shown = self._view_in_status
        return shown is None or _awaited(shown) != _awaited(view)


def _awaited(view: RunView) -> tuple[object, ...]:
    """Return the parts of a view that keys change."""
    return view.phase, view.sampling, view.training, view.saved, view.finishes_at, view.step_taken
