"""The panels of the main screen together, and what is drawn when: keys show at once, and a slow link is not flooded."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Container, Vertical

from engine.stage import Stage
from tui.keys import MAIN_KEYS
from tui.run_view import RunView
from tui.widgets.key_bar import KeyBar
from tui.widgets.loss_plot import LossPlot
from tui.widgets.stage_hint import StageHint
from tui.widgets.status_panel import StatusPanel
from tui.widgets.tweet_feed import TweetFeed

_TICKS_PER_STATUS = 5
_TICKS_PER_REPORT = 20
"""How long the report of what was read stands at least: the first steps may follow it at once."""


class Panels(Vertical):
    """Compose the panels and hand each the view when its slice of it has changed and its turn has come."""

    def __init__(self) -> None:
        """Begin with an empty view."""
        super().__init__()
        self._num_ticks = 0
        self._view_in_status: RunView | None = None
        self._last_tick_of_report = 0

    def compose(self) -> ComposeResult:
        """Lay out plot and status over the feed, and the key bar below."""
        with Container(id="top"):
            yield StatusPanel()
            with Container(id="plot-area"):
                yield StageHint()
                yield LossPlot()
        yield TweetFeed()
        yield KeyBar(MAIN_KEYS)

    def tick(self, view: RunView, stage: Stage) -> None:
        """Draw what is due of `view`; `stage` is what the session is doing before its start. Ten times a second."""
        self._num_ticks += 1
        is_waiting = self._is_waiting(view)
        self.set_class(is_waiting, "-waiting")
        if is_waiting:
            if stage.report and not self._last_tick_of_report:
                self._last_tick_of_report = self._num_ticks + _TICKS_PER_REPORT
            now = stage if view.phase == "starting" else replace(stage, text="training begins", share=None)
            self.query_one(StageHint).show(now, self._num_ticks)
        else:
            self.query_one(LossPlot).show(view)
        if self._num_ticks % _TICKS_PER_STATUS == 0 or self._is_status_urgent(view):
            self.show_status(view)
        self.query_one(TweetFeed).show(view)
        self.query_one(KeyBar).pause_label = "resume" if view.phase == "paused" else "pause"

    def show_status(self, view: RunView) -> None:
        """Draw the status if the view has changed."""
        if view is not self._view_in_status:
            self._view_in_status = view
            self.query_one(StatusPanel).show(view)

    def show_notice(self, notice: str) -> None:
        """Put a notice in place of the keys."""
        self.query_one(KeyBar).notice = notice

    def _is_waiting(self, view: RunView) -> bool:
        """Say whether there is nothing to plot yet, or a report to read first."""
        if view.phase not in {"starting", "training"}:
            return False
        is_reading_on = self.has_class("-waiting") and self._num_ticks < self._last_tick_of_report
        return is_reading_on or not len(view.train_losses)

    def _is_status_urgent(self, view: RunView) -> bool:
        """Say whether something changed that the user waits for."""
        shown = self._view_in_status
        return shown is None or _awaited(shown) != _awaited(view)


def _awaited(view: RunView) -> tuple[object, ...]:
    """Return what a user waits to see after a key."""
    return view.phase, view.sampling, view.saved, view.finishes_at
