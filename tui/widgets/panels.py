"""`Panels`: the panels of the main screen, laid out for the size of the terminal, and when each is drawn.

What a key changes is drawn at once, the plot a tick later; all else by a `Pace`, within the bandwidth of the terminal
and a share of one core.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import ClassVar, Literal

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical

from tui.run.model import RunModel
from tui.run.view import RunView
from tui.settings.key_table import BAR_KEYS, PANEL_BARS
from tui.settings.keys import KeyMap, mapped
from tui.terminal.app import TerminalApp
from tui.terminal.capabilities import is_over_ssh
from tui.widgets.bars import AlertBar, EndBar, StepBar
from tui.widgets.feed.feed import PanelRule, TweetFeed
from tui.widgets.key_bar import PAUSE_LABELS, Bar, KeyBar
from tui.widgets.plot.plot import LossPlot
from tui.widgets.prompt_line import PromptLine
from tui.widgets.status.header import Header
from tui.widgets.status.side_panel import SidePanel, StatusLines
from tui.widgets.status.stage_hint import StageHint

Panel = Literal["plot", "feed", "machine"]
"""The status is drawn with the plot: their figures are those of the same moment."""
SECONDS: dict[Panel, float] = {"plot": 0.5, "feed": 1.0, "machine": 1.0}
"""Interval between two drawings of a panel, without any slowdown."""
MAX_WAITING_BYTES = 2_000
"""Queued output; with more, no panel draws."""
MAX_CORE_SHARE = 0.03
MAX_LINE_SLOWDOWN, MAX_CORE_SLOWDOWN = 16.0, 4.0
_REMOTE_FACTOR, _FASTER, _SLOWER = 2.0, 0.8, 1.2
_MEASURE_SECONDS = 2.0
"""Interval of measuring the screen's share of a core, and of reducing the slowdowns."""
_MIN_CELLS_FOR_WHOLE_HEIGHT = 180
"""From this width on, the side panel has the whole height."""
_MIN_FEED_ROWS, _MIN_PLOT_ROWS = 3, 6
"""Rows that a panel keeps, however many toasts there are; but one row shows a toast in any case."""
_TICKS_PER_REPORT = 20
"""How long the report on the corpus is shown at least: the first steps may follow it at once."""
_changed_by_keys = attrgetter("phase", "sampling", "training", "saved", "finishes_at", "step_taken")
"""Returns the parts of a view that keys change."""


class Pace:
    """How often panels draw: less often over ssh, while output is queued, and where the screen uses much of a core."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        core_seconds: Callable[[], float] = time.thread_time,
        *,
        is_over_ssh: bool = False,
    ) -> None:
        """`core_seconds` returns the CPU time of the screen's thread."""
        self._clock, self._core_seconds = clock, core_seconds
        self._factor = _REMOTE_FACTOR if is_over_ssh else 1.0
        self._line_slowdown = self._core_slowdown = 1.0
        self._drawn_at: dict[Panel, float] = {}
        self._measured_at, self._core_at_measure = clock(), core_seconds()
        self._is_output_blocked = False

    @property
    def slowdown(self) -> float:
        """Factor on the intervals: the larger of those for a slow connection and for a busy core."""
        return max(self._line_slowdown, self._core_slowdown)

    def record_tick(self, num_waiting: int) -> None:
        """Update the slowdowns from the output queue and, every two seconds, from the CPU time."""
        self._is_output_blocked = num_waiting > MAX_WAITING_BYTES
        if self._is_output_blocked:
            self._line_slowdown = min(_SLOWER * self._line_slowdown, MAX_LINE_SLOWDOWN)
        now, core_seconds = self._clock(), self._core_seconds()
        if (seconds := now - self._measured_at) < _MEASURE_SECONDS:
            return
        is_too_much = core_seconds - self._core_at_measure > MAX_CORE_SHARE * seconds
        self._measured_at, self._core_at_measure = now, core_seconds
        self._core_slowdown *= _SLOWER if is_too_much else _FASTER
        self._core_slowdown = min(max(self._core_slowdown, 1.0), MAX_CORE_SLOWDOWN)
        if not self._is_output_blocked:
            self._line_slowdown = max(_FASTER * self._line_slowdown, 1.0)

    def is_due(self, panel: Panel, *, is_awaited: bool = False) -> bool:
        """Return whether to draw a panel now, and record that as drawn; `is_awaited` skips the interval."""
        now = self._clock()
        wait = SECONDS[panel] * self._factor * self.slowdown - 1e-3
        is_early = not is_awaited and now - self._drawn_at.get(panel, float("-inf")) < wait
        if self._is_output_blocked or is_early:
            return False
        self._drawn_at[panel] = now
        return True


class Panels(Vertical):
    """Lay out the panels, and draw in each what is due of a run; a tiny terminal shows one at a time."""

    app = getters.app(TerminalApp)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close_legend", show=False)]

    def __init__(self, pace: Pace | None = None) -> None:
        """Show nothing until the first tick; draw at `pace`, or at that of this terminal and processor."""
        super().__init__()
        self._pace = pace or Pace(is_over_ssh=is_over_ssh(os.environ))
        self._key_map: KeyMap = {}
        self._num_ticks = self._last_tick_of_report = 0
        self._shown: RunView | None = None
        """The view in the status."""
        self._tweets_awaited_since = math.inf
        """How many tweets there were when another one was asked for; infinity once it is drawn."""
        self._has_toasts = False
        self._is_plot_late = False
        """Whether a tick showed the answer to a key in the status, and left the plot to the next."""

    def compose(self) -> ComposeResult:
        yield Header()
        yield StatusLines()
        with Container(id="body"):
            with Container(id="plot-area"):
                yield StageHint()
                yield LossPlot()
            yield SidePanel()
            with Vertical(id="feed-area"):
                feed = TweetFeed()
                yield PanelRule(feed)
                yield feed
        yield StepBar()
        yield EndBar()
        yield AlertBar()
        key_bar = KeyBar(BAR_KEYS)
        yield key_bar
        yield PromptLine(key_bar)

    # What is drawn when -----------------------------------------------------------------------------------------------

    def tick(self, run: RunModel) -> None:
        """Draw what is due of a run. Ten times a second."""
        view, connection, stage = run.shown, run.connection, run.connection.stage
        self._num_ticks += 1
        self._pace.record_tick(self.app.num_waiting_bytes)
        self._make_room_for_toasts()
        is_waiting = self._is_waiting(view)
        self.set_class(is_waiting, "-waiting")
        if is_waiting:
            if stage.report and not self._last_tick_of_report:
                self._last_tick_of_report = self._num_ticks + _TICKS_PER_REPORT
            now = stage if view.phase == "starting" else replace(stage, text="training begins", share=None)
            self.query_one(StageHint).show(now, self._num_ticks)
        is_urgent = self._shown is None or _changed_by_keys(self._shown) != _changed_by_keys(view)
        if self._pace.is_due("plot", is_awaited=is_urgent or self._is_plot_late or view.phase != "training"):
            self.show_status(view)
            self._is_plot_late = is_urgent
            if not is_waiting and not is_urgent:
                self.query_one(LossPlot).show(view)
        side = self.query_one(SidePanel)
        side.host_pid = connection.host_pid
        if side.shows_machine and self._pace.is_due("machine"):
            side.measure()
        is_awaited = view.num_tweets > self._tweets_awaited_since
        if self._pace.is_due("feed", is_awaited=is_awaited or view.phase != "training" or not view.tweets):
            self._tweets_awaited_since = math.inf if is_awaited else self._tweets_awaited_since
            self.query_one(TweetFeed).show(view)
        self.query_one(Header).badge = connection.badge
        self.query_one(StepBar).show(run.view.last_step_taken, run.step_note)
        self.query_one(EndBar).show(run.view, is_read_only=bool(connection.refusal or connection.interruption))
        self.query_one(KeyBar).pause_label = PAUSE_LABELS.get(view.shown_phase, "pause")

    def show_status(self, view: RunView) -> None:
        """Draw the status if the view has changed."""
        if view is not self._shown:
            self._shown = view
            for panel in (self.query_one(Header), self.query_one(StatusLines), self.query_one(SidePanel)):
                panel.show(view)

    def await_tweet(self, view: RunView) -> None:
        """Draw the next tweet after those of `view` without delay: the user has asked for it."""
        self._tweets_awaited_since = view.num_tweets

    def _is_waiting(self, view: RunView) -> bool:
        """Return whether there is nothing to plot yet, or a report on the corpus is still shown."""
        if view.phase not in {"starting", "training"}:
            return False
        has_report = self.has_class("-waiting") and self._num_ticks < self._last_tick_of_report
        return has_report or not len(view.train_losses)

    def _make_room_for_toasts(self) -> None:
        """Show the toasts (the newest, if not all fit) in the lowest rows of the lowest panel, which frees them."""
        body = self.query_one("#body")
        for rack in self.screen.query_children("ToastRack"):
            rack.styles.margin = (0, 0, self.screen.size.height - body.region.bottom, 0)
            toasts = rack.query("Toast")
            had_toasts, self._has_toasts = self._has_toasts, bool(toasts)
            if not toasts and not had_toasts:
                return
            lowest = next((panel for panel in reversed(body.children) if panel.display), body)
            feed = self.query_one(TweetFeed)
            least = _MIN_FEED_ROWS if lowest is feed.parent else _MIN_PLOT_ROWS
            room = max(lowest.region.height + lowest.styles.margin.bottom - least, 1)
            num_rows = sum(toast.outer_size.height for toast in toasts)
            is_full = num_rows > room
            rack.set_class(is_full, "-full")
            rack.styles.max_height = room if is_full else None
            rack.scroll_to(y=rack.max_scroll_y if is_full else 0, animate=False, force=True)
            num_free = min(num_rows, room)
            feed.free_rows = num_free if lowest is feed.parent else 0
            for panel in body.query_children("#plot-area, SidePanel"):
                panel.styles.margin = (0, 0, num_free if panel is lowest else 0, 0)

    # Layout and focus -------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Lay out for the new size; focus a visible panel."""
        self.set_class(event.size.width >= _MIN_CELLS_FOR_WHOLE_HEIGHT, "-whole-height")
        is_beside = self.screen.has_class("-wide") and self.screen.has_class("-tall")
        side = self.query_one(SidePanel)
        if side.starts_with_setup == is_beside:
            side.starts_with_setup = not is_beside
            self._close_groups()
        self.call_after_refresh(self._focus_shown)

    def _select_panel(self, *, is_plot: bool) -> None:
        """Select the panel that a tiny terminal shows: the plot or the feed."""
        self.set_class(is_plot, "-on-plot")
        self.call_after_refresh(self._focus_shown)

    def _focus_shown(self) -> None:
        """Focus the only panel of a tiny terminal; elsewhere the feed, if nothing is focused."""
        is_tiny, is_on_plot = self.screen.has_class("-tiny"), self.has_class("-on-plot")
        self.query_one(StatusLines).has_curve = is_tiny and not is_on_plot
        self.query_one(StatusLines).redraw()
        if self.query_one(PromptLine).is_open:
            return
        focused, shown = self.screen.focused, self.query_one(LossPlot if is_on_plot else TweetFeed)
        if is_tiny:
            self.screen.set_focus(shown if shown.focusable else None)
        elif focused is None or not focused.focusable:
            self.screen.set_focus(self.query_one(TweetFeed))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Select the focused panel, for when the terminal becomes tiny."""
        if isinstance(event.widget, LossPlot | TweetFeed) and not self.screen.has_class("-tiny"):
            self._select_panel(is_plot=isinstance(event.widget, LossPlot))
        self.map_keys(self._key_map)

    def map_keys(self, key_map: KeyMap) -> None:
        """Show the keys of the focused panel, then those that act in any, as `key_map` changes them."""
        self._key_map, focused = key_map, self.screen.focused
        keys = (*PANEL_BARS.get(type(focused).__name__, ()), *BAR_KEYS)
        self.query_one(KeyBar).show_keys(mapped(keys, key_map), focused)
        for bar in self.query(Bar):
            bar.map_keys(key_map)

    @on(LossPlot.CursorMoved)
    def _scroll_feed(self, message: LossPlot.CursorMoved) -> None:
        """Scroll the feed to the tweets that were sampled at the plot's cursor."""
        self.query_one(TweetFeed).show_step(message.step)

    # Keys of the view -------------------------------------------------------------------------------------------------

    def action_panel(self, step: int) -> None:
        """Focus the next (1) or previous (-1) panel; a tiny terminal shows it in place of the one before."""
        if self.screen.has_class("-tiny"):
            self._close_groups()
            self._select_panel(is_plot=not self.has_class("-on-plot"))
        elif step > 0:
            self.screen.focus_next()
        else:
            self.screen.focus_previous()

    def action_unit(self) -> None:
        self.app.loss_unit = "nats" if self.app.loss_unit == "bits" else "bits"

    def action_legend(self) -> None:
        """Show the legend of the plot, in place of another panel if need be; its next page; or close it."""
        plot = self.query_one(LossPlot)
        if not self.query_one("#plot-area").display:
            self._close_groups()
            if self.screen.has_class("-tiny"):
                self._select_panel(is_plot=True)
            plot.legend_page = None
        plot.turn_legend()

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Disable `close_legend` without one in view, so that escape reaches the screen."""
        is_in_view = self.query_one("#plot-area").display and self.query_one(LossPlot).legend_page is not None
        return action != "close_legend" or is_in_view

    def action_close_legend(self) -> None:
        self.query_one(LossPlot).legend_page = None

    def action_machine(self) -> None:
        """Turn the page of the side panel; without one beside the plot, open it, and close it after the last page."""
        side = self.query_one(SidePanel)
        if not side.starts_with_setup:
            if side.num_pages == 1:
                self.notify("The side panel shows all: there is room for it.", markup=False)
            side.turn_to(side.page + 1)
        elif not self.has_class("-groups"):
            self.add_class("-groups")
            side.turn_to(0)
        elif not side.turn_to(side.page + 1):
            self._close_groups()
        self.call_after_refresh(self._focus_shown)

    def _close_groups(self) -> None:
        """Show the first page of a side panel beside the plot; elsewhere, none."""
        self.remove_class("-groups")
        self.query_one(SidePanel).turn_to(0)
