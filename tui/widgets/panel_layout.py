"""The panels of the main screen: their layout for the size of the terminal, their focus, and the keys of the view."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widget import Widget

from tui.settings.key_table import BAR_KEYS, PANEL_BARS
from tui.settings.keymap import KeyMap, mapped
from tui.widgets.alert_bar import AlertBar
from tui.widgets.end_bar import EndBar
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.header import Header
from tui.widgets.input.prompt_line import PromptLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.panel_rule import PanelRule
from tui.widgets.plot.loss_plot import LossPlot
from tui.widgets.stage_hint import StageHint
from tui.widgets.status.side_panel import SidePanel
from tui.widgets.status.status_panel import StatusPanel
from tui.widgets.step_bar import StepBar
from tui.widgets.terminal_info import TerminalInfo

_PANELS: tuple[type[Widget], ...] = (TweetFeed, LossPlot)
"""In the order in which a tiny terminal shows them, one at a time."""
_MIN_CELLS_FOR_WHOLE_HEIGHT = 180
"""From this width on, the side panel has the whole height."""
_MIN_FEED_ROWS, _MIN_PLOT_ROWS = 3, 6
"""Rows that a panel keeps, however many toasts there are; but one row shows a toast in any case."""


class PanelLayout(Vertical):
    """Lay out the panels; show one at a time, and the pages of the side panel, where there is little room."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close_legend", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._panel = 0
        """Number of the panel that a tiny terminal shows."""
        self._key_map: KeyMap = {}

    def compose(self) -> ComposeResult:
        """Lay out header, plot, side panel and feed, and the key bar below."""
        yield Header()
        yield StatusPanel()
        with Container(id="body"):
            with Container(id="plot-area"):
                yield StageHint()
                yield LossPlot()
            yield SidePanel()
            with Vertical(id="feed-area"):
                yield PanelRule("tweets")
                yield TweetFeed()
        yield StepBar()
        yield EndBar()
        yield AlertBar()
        yield KeyBar(BAR_KEYS)
        yield PromptLine()

    def on_mount(self) -> None:
        """Select the first panel, for a tiny terminal."""
        self._show_panel(0)

    def action_panel(self, step: int) -> None:
        """Focus the next (1) or previous (-1) panel; a tiny terminal shows it in place of the one before."""
        if self.screen.has_class("-tiny"):
            self._close_groups()
            self._show_panel((self._panel + step) % len(_PANELS))
        elif step > 0:
            self.screen.focus_next()
        else:
            self.screen.focus_previous()

    def _show_panel(self, number: int) -> None:
        """Select the panel that a tiny terminal shows."""
        self._panel = number
        self.set_class(number == 1, "-on-plot")
        self.call_after_refresh(self._focus_shown)

    def _focus_shown(self) -> None:
        """Focus the only panel of a tiny terminal; elsewhere the feed, if nothing is focused."""
        self.query_one(StatusPanel).show_curve(is_shown=self.screen.has_class("-tiny") and not self._panel)
        if self.query_one(PromptLine).is_open:
            return
        focused = self.screen.focused
        shown = self.query_one(_PANELS[self._panel])
        if self.screen.has_class("-tiny"):
            self.screen.set_focus(shown if shown.focusable else None)
        elif focused is None or not focused.focusable:
            self.screen.set_focus(self.query_one(TweetFeed))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Select the focused panel, for when the terminal becomes tiny."""
        numbers = [number for number, kind in enumerate(_PANELS) if isinstance(event.widget, kind)]
        if numbers and not self.screen.has_class("-tiny"):
            self._show_panel(numbers[0])
        self._show_heading()
        self._show_keys()

    def on_descendant_blur(self) -> None:
        """Show that the feed has lost the focus."""
        self._show_heading()

    def map_keys(self, key_map: KeyMap) -> None:
        """Show the keys in the key bar as `key_map` changes them."""
        self._key_map = key_map
        self._show_keys()

    def _show_keys(self) -> None:
        """Show the keys of the focused panel, then those that act in any."""
        focused = self.screen.focused
        keys = (*PANEL_BARS.get(type(focused).__name__, ()), *BAR_KEYS)
        self.query_one(KeyBar).show_keys(mapped(keys, self._key_map), focused)

    @on(TweetFeed.Retitled)
    def _show_heading(self) -> None:
        """Show heading, facts and focus of the feed in the rule above it."""
        feed = self.query_one(TweetFeed)
        self.query_one(PanelRule).show(*feed.titles, is_focused=feed.has_focus)

    def on_resize(self, event: events.Resize) -> None:
        """Lay out for the new size; focus a visible panel."""
        self.set_class(event.size.width >= _MIN_CELLS_FOR_WHOLE_HEIGHT, "-whole-height")
        is_beside = self.screen.has_class("-wide") and self.screen.has_class("-tall")
        side = self.query_one(SidePanel)
        if side.starts_with_setup == is_beside:
            side.starts_with_setup = not is_beside
            self._close_groups()
        self.call_after_refresh(self._focus_shown)

    def make_room_for_toasts(self) -> None:
        """Show the toasts (the newest, if not all fit) in the lowest rows of the lowest panel, which frees them."""
        body = self.query_one("#body")
        for rack in self.screen.query_children("ToastRack"):
            rack.styles.margin = (0, 0, self.screen.size.height - body.region.bottom, 0)
            lowest = next((panel for panel in reversed(body.children) if panel.display), body)
            feed = self.query_one(TweetFeed)
            least = _MIN_FEED_ROWS if lowest is feed.parent else _MIN_PLOT_ROWS
            room = max(lowest.region.height + lowest.styles.margin.bottom - least, 1)
            num_rows = sum(toast.outer_size.height for toast in rack.query("Toast"))
            is_full = num_rows > room
            rack.set_class(is_full, "-full")
            rack.styles.max_height = room if is_full else None
            rack.scroll_to(y=rack.max_scroll_y if is_full else 0, animate=False, force=True)
            num_free = min(num_rows, room)
            feed.free_rows = num_free if lowest is feed.parent else 0
            for panel in body.query_children("#plot-area, SidePanel"):
                panel.styles.margin = (0, 0, num_free if panel is lowest else 0, 0)

    def action_unit(self) -> None:
        """Show all losses in the other unit: bits or nats."""
        if isinstance(self.app, TerminalInfo):
            self.app.loss_unit = "nats" if self.app.loss_unit == "bits" else "bits"

    def action_log(self) -> None:
        """Make the plot's loss axis logarithmic or linear."""
        self.query_one(LossPlot).toggle_log()

    def action_levels(self) -> None:
        """Show or hide the reference levels of the plot."""
        self.query_one(LossPlot).shows_levels ^= True

    def action_legend(self) -> None:
        """Show the legend of the plot, its next page, or close it."""
        plot = self.query_one(LossPlot)
        if not self._is_plot_in_view:
            self._show_plot()
            plot.legend_page = None
        plot.turn_legend()

    @property
    def _is_plot_in_view(self) -> bool:
        """Whether no other panel is in the place of the plot."""
        return self.query_one("#plot-area").display

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Disable `close_legend` without one in view, so that escape reaches the screen."""
        has_legend = self._is_plot_in_view and self.query_one(LossPlot).legend_page is not None
        return action != "close_legend" or has_legend

    def action_close_legend(self) -> None:
        """Close the legend of the plot."""
        self.query_one(LossPlot).legend_page = None

    def _show_plot(self) -> None:
        """Show the plot in place of another panel."""
        self._close_groups()
        if self.screen.has_class("-tiny"):
            self._show_panel(_PANELS.index(LossPlot))

    def action_panes(self) -> None:
        """Plot the next of: both, the whole run, its recent part."""
        self.query_one(LossPlot).switch_panes()

    def action_machine(self) -> None:
        """Turn the page of the side panel; without one beside the plot, open it, and close it after the last page."""
        side = self.query_one(SidePanel)
        if not side.starts_with_setup:
            if side.num_pages == 1:
                self.notify("The side panel shows all: there is room for it.", markup=False)
            side.turn()
        elif not self.has_class("-groups"):
            self.add_class("-groups")
            side.turn_to(0)
        elif not side.turn():
            self._close_groups()
        self.call_after_refresh(self._focus_shown)

    def _close_groups(self) -> None:
        """Show the first page of a side panel beside the plot; elsewhere, none."""
        self.remove_class("-groups")
        self.query_one(SidePanel).turn_to(0)

    def on_loss_plot_cursor_moved(self, message: LossPlot.CursorMoved) -> None:
        """Scroll the feed to the tweets that were sampled at the plot's cursor."""
        self.query_one(TweetFeed).show_step(message.step)
