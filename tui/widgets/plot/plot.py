"""The colours of the plot, by the names of `StyleName`: variables of the themes only.

`LossPlot`: the widget of the loss plot. Handles keys and mouse, and sends the changed cells of its `Picture`.

Redraws when a view brings a longer curve, and after keys. `PlotView` determines the steps in view. Never changes the
run; posts `CursorMoved` when the cursor moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.run.new_run import OverlayCurve
from tui.run.view import RunView
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.terminal.app import TerminalApp
from tui.terminal.capabilities import GlyphSet
from tui.text.numbers import LossUnit
from tui.widgets.plot.axes import Limits, LossScale
from tui.widgets.plot.cells import StyleName
from tui.widgets.plot.pane import PlotOptions
from tui.widgets.plot.picture import Picture, run_limits
from tui.widgets.plot.viewport import Drag, PlotView

PLOT_CSS = """
LossPlot {
    & > .loss-plot--text { color: $text-muted; }
    & > .loss-plot--axis { color: $border-blurred; }
    & > .loss-plot--tick { color: $text-muted; }
    & > .loss-plot--heading { color: $text-muted; text-style: bold; }
    & > .loss-plot--focus { color: $text-primary; text-style: bold; }
    & > .loss-plot--grid { color: $border-blurred; }
    & > .loss-plot--level { color: $secondary 50%; }
    & > .loss-plot--level_label { color: $text-secondary; }
    & > .loss-plot--band { color: $primary 40%; }
    & > .loss-plot--line { color: $text-accent; text-style: bold; }
    & > .loss-plot--overlay { color: $secondary; }
    & > .loss-plot--validation { color: $text-primary; }
    & > .loss-plot--best { color: $text-primary; text-style: bold; }
    & > .loss-plot--best_line { color: $primary 45%; }
    & > .loss-plot--peak { color: $text-muted; }
    & > .loss-plot--mark { color: $text-accent; text-style: bold; }
    & > .loss-plot--window { color: $text-primary; }
    & > .loss-plot--cursor { color: $foreground; }
    & > .loss-plot--readout { color: $foreground; }
}
"""


SIDE_BY_SIDE_CELLS = 96
"""From this width on, two panes fit side by side."""
_SHORT_RUNS = 1000
"""In shorter runs the recent part needs no pane of its own."""
_ZOOM = 2.0
_WHEEL_ZOOM = 1.25
_DOUBLE = 2
_DRAWN = ("train_losses", "val_points", "marks", "levels")
"""What is drawn of a view."""


class LossPlot(Widget, can_focus=True):
    """The loss curve of a run; may be updated often."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("plot"))
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"loss-plot--{name}" for name in get_args(StyleName)}
    DEFAULT_CSS = PLOT_CSS

    unit: reactive[LossUnit] = reactive[LossUnit]("bits", init=False)
    is_log: reactive[bool] = reactive(default=False, init=False)
    shows_levels: reactive[bool] = reactive(default=True, init=False)
    """Whether the reference levels are drawn."""
    legend_page: reactive[int | None] = reactive[int | None](None, init=False)
    """The page of the legend that is shown over the plot."""
    glyphs: reactive[GlyphSet] = reactive[GlyphSet]("braille", init=False)
    overlay: reactive[OverlayCurve | None] = reactive[OverlayCurve | None](None, init=False)
    """Drawn below the curve of this run."""

    @dataclass
    class CursorMoved(Message):
        """The cursor is at a step; None when it is hidden."""

        step: int | None

    def __init__(self) -> None:
        super().__init__()
        self.shown = RunView()
        self.view = PlotView()
        self.picture = Picture()
        self._painted = self.picture.cells
        self._drag: Drag | None = None

    def on_mount(self) -> None:
        """Watch the app's glyphs and unit, and redraw when an option changes."""
        if isinstance(self.app, TerminalApp):
            self.watch(self.app, "glyphs", self._set_glyphs)
            self.watch(self.app, "loss_unit", self._set_unit)
        for name in ("unit", "is_log", "shows_levels", "glyphs", "overlay"):
            self.watch(self, name, self.redraw, init=False)
        self.watch(self, "legend_page", self._paint, init=False)

    def _set_glyphs(self, glyphs: GlyphSet) -> None:
        self.glyphs = glyphs

    def _set_unit(self, unit: LossUnit) -> None:
        self.unit = unit

    def show(self, view: RunView) -> None:
        """Draw a view, if its curves or marks differ from those shown."""
        before, self.shown = self.shown, view
        if before.started is None and view.is_overfit:
            self.is_log = True  # most of the fall is below a tenth of the first loss
        if self.is_mounted and any(getattr(before, name) is not getattr(view, name) for name in _DRAWN):
            self.redraw()

    def toggle_log(self) -> None:
        """Switch between a linear and a logarithmic y axis."""
        self.is_log = not self.is_log

    def turn_legend(self) -> None:
        """Show the legend, or its next page; after the last one, close it."""
        page = 0 if self.legend_page is None else self.legend_page + 1
        self.legend_page = page if page < self.picture.num_legend_pages or not page else None

    def switch_panes(self) -> None:
        """Show the next of: both panes, the whole run, its recent part where that is shorter."""
        view = self.view.next_mode()
        if view.panes == ("recent",) and view.limits("recent", self._run) == PlotView().limits("whole", self._run):
            self.notify("The recent part is the whole run so far.", markup=False)
            view = view.next_mode()
        self._apply_view(view)

    def watch_has_focus(self, has_focus: bool) -> None:  # noqa: FBT001 - Textual's signature
        """Show the focus in the heading."""
        super().watch_has_focus(has_focus)
        self._paint()

    def on_resize(self) -> None:
        """Redraw for the new size."""
        self.redraw()

    def redraw(self) -> None:
        """Draw the current view again."""
        has_more_to_show = self._run.span >= _SHORT_RUNS
        self.view = self.view.fitted(is_wide=self.size.width >= SIDE_BY_SIDE_CELLS and has_more_to_show)
        if self.view.cursor is not None and self.view.cursor > self._run.high:  # an earlier checkpoint was loaded
            self.view = self.view.with_cursor(self.view.cursor, self._run)
            self.post_message(self.CursorMoved(self.view.cursor))
        options = PlotOptions(LossScale(self.unit, self.is_log), self.glyphs, self.overlay, self.shows_levels)
        self.picture.draw(self.shown, self.view, options, self.size.width, self.size.height)
        self._paint()

    def _paint(self) -> None:
        """Repaint the cells that differ from those on the screen."""
        before, self._painted = (
            self._painted,
            self.picture.with_labels(self.view, is_focused=self.has_focus, legend_page=self.legend_page),
        )
        if self._painted.chars.shape != before.chars.shape:
            self.refresh()
        elif regions := [Region(x, y, width, 1) for x, y, width in self._painted.changes(before)]:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """Return row `y` of the plot."""
        if y >= self._painted.height:
            return Strip.blank(self.size.width, self.rich_style)  # the filter of NO_COLOR fails without a style
        segments = self._painted.segments(y)
        return Strip([Segment(text, self.get_component_rich_style(f"loss-plot--{name}")) for text, name in segments])

    @property
    def _run(self) -> Limits:
        return run_limits(self.shown, self.overlay)

    def _apply_view(self, view: PlotView) -> None:
        """Set the steps in view and the cursor, and redraw; without any step there is nothing to show."""
        if not len(self.shown.train_losses):
            return
        before, self.view = self.view, view
        if any(before.limits(pane, self._run) != view.limits(pane, self._run) for pane in view.panes) or (
            before.panes != view.panes
        ):
            self.redraw()
        else:
            self._paint()
        if before.cursor != view.cursor:
            self.post_message(self.CursorMoved(view.cursor))

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Disable `hide_cursor` while there is nothing to hide, so that escape reaches the screen."""
        return action != "hide_cursor" or self.legend_page is not None or self.view.cursor is not None

    def action_move_cursor(self, num_columns: int) -> None:
        """Move the cursor by columns."""
        pane = self.picture.pane_of(self.view.cursor if self.view.cursor is not None else self._run.high)
        self._apply_view(self.view.cursor_moved(num_columns, pane.width if pane else 1, self._run))

    def action_zoom(self, direction: int) -> None:
        """Halve (-1) or double (1) the steps in view."""
        self._apply_view(self.view.zoomed(_ZOOM**direction, self._run))

    def action_pan(self, direction: int) -> None:
        """Pan back (-1) or on (1) by half of the steps in view."""
        span = self.view.limits(self.view.panes[-1], self._run).span
        self._apply_view(self.view.panned(direction * span / 2, self._run))

    def action_first(self) -> None:
        """Move the cursor to the first step."""
        self._apply_view(self.view.with_cursor(round(self._run.low), self._run))

    def action_follow(self) -> None:
        """Hide the cursor and follow the newest step."""
        self._apply_view(self.view.following())

    def action_hide_cursor(self) -> None:
        """Close the legend; else hide the cursor, and follow again if the pane followed before it was shown."""
        if self.legend_page is not None:
            self.legend_page = None
            return
        self._apply_view(self.view.with_cursor(None, self._run))

    def action_reset(self) -> None:
        """Reset zoom, panning and cursor."""
        self._apply_view(self.view.reset())

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in at the pointer."""
        self._zoom_at(event, 1 / _WHEEL_ZOOM)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out at the pointer."""
        self._zoom_at(event, _WHEEL_ZOOM)

    def _zoom_at(self, event: events.MouseEvent, factor: float) -> None:
        event.stop()
        pane = self.picture.pane_under(event.x)
        if pane is not None:
            self._apply_view(self.view.zoomed(factor, self._run, pane.step_at(event.x - pane.left)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Start to drag."""
        pane = self.picture.pane_under(event.x)
        if event.button == 1 and pane is not None:
            *_, detail = self.picture.panes.values()
            self._drag = Drag(event.x, pane, pane is not detail, self.view)
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Pan with the pointer."""
        view = self._drag.moved_to(event.x, self._run) if self._drag is not None else None
        if view is not None:
            self._apply_view(view)

    def on_mouse_up(self) -> None:
        """End the drag; without movement, put the cursor at the pointer."""
        drag, self._drag = self._drag, None
        self.release_mouse()
        if drag is not None and not drag.has_moved:
            step = drag.pane.step_at(drag.x - drag.pane.left)
            self._apply_view(self.view.with_cursor(round(step), self._run))

    def on_click(self, event: events.Click) -> None:
        """Reset on a double click."""
        if event.chain == _DOUBLE:
            self.action_reset()
