"""`LossPlot`: the widget of the loss plot. Handles keys and mouse, and sends the changed cells of its `Picture`.

Redraws when a view brings a longer curve, and after keys. Never changes the run; posts `CursorMoved` when the cursor
moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.segment import Segment
from textual import events, getters, on
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
from tui.widgets.plot.axes import Limits
from tui.widgets.plot.cells import STYLE_NAMES
from tui.widgets.plot.pane import PlotOptions
from tui.widgets.plot.picture import Picture
from tui.widgets.plot.viewport import Viewport

SIDE_BY_SIDE_CELLS = 96
"""From this width on, two panes fit side by side."""
_SHORT_RUNS = 1000
"""In shorter runs the recent part needs no pane of its own."""
_ZOOM, _WHEEL_ZOOM = 2.0, 1.25
_DOUBLE_CLICK = 2
_DRAWN = ("train_losses", "val_points", "marks", "baselines")
"""What is drawn of a view; each is another object once it has changed."""
_OPTIONS = ("is_log", "shows_levels", "overlay")


@dataclass
class _Drag:
    """A mouse button pressed over a pane, to pan it."""

    x: int
    step: int
    steps_per_column: float
    """By how many steps a column of movement pans; negative where the curve moves with the pointer."""
    viewport: Viewport
    """The viewport when the button was pressed."""
    has_moved: bool = False


class LossPlot(Widget, can_focus=True):
    """The loss curve of a run; may be updated often."""

    app = getters.app(TerminalApp)
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("plot"))
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"loss-plot--{name}" for name in STYLE_NAMES}

    is_log: reactive[bool] = reactive(default=False, init=False)
    shows_levels: reactive[bool] = reactive(default=True, init=False)
    """Whether the reference levels are drawn."""
    legend_page: reactive[int | None] = reactive[int | None](None, init=False)
    """The page of the legend that is shown over the plot."""
    overlay: reactive[OverlayCurve | None] = reactive[OverlayCurve | None](None, init=False)
    """Drawn below the curve of this run."""

    @dataclass
    class CursorMoved(Message):
        """The cursor is at a step; None when it is hidden."""

        step: int | None

    def __init__(self) -> None:
        super().__init__()
        self.shown = RunView()
        self.viewport = Viewport()
        self.picture = Picture()
        self._painted = self.picture.cells
        self._drag: _Drag | None = None

    def on_mount(self) -> None:
        for owner, name in ((self.app, "glyphs"), (self.app, "loss_unit"), *((self, name) for name in _OPTIONS)):
            self.watch(owner, name, self.redraw, init=False)
        for name in ("legend_page", "has_focus"):
            self.watch(self, name, self._paint, init=False)

    def show(self, view: RunView) -> None:
        """Draw a view, if its curves or marks differ from those shown."""
        before, self.shown = self.shown, view
        if before.started is None and view.is_overfit:
            self.is_log = True  # most of the fall is below a tenth of the first loss
        if self.is_mounted and any(getattr(before, name) is not getattr(view, name) for name in _DRAWN):
            self.redraw()

    def action_log(self) -> None:
        self.is_log = not self.is_log

    def action_levels(self) -> None:
        self.shows_levels = not self.shows_levels

    def turn_legend(self) -> None:
        """Show the legend, or its next page; after the last one, close it."""
        page = 0 if self.legend_page is None else self.legend_page + 1
        self.legend_page = page if page < self.picture.num_legend_pages or not page else None

    def action_panes(self) -> None:
        """Show the next of: both panes, the whole run, its recent part where that is shorter."""
        viewport = self.viewport.next_mode()
        if viewport.panes == ("recent",) and viewport.limits("recent") == viewport.whole_run:
            self.notify("The recent part is the whole run so far.", markup=False)
            viewport = viewport.next_mode()
        self._move_to(viewport)

    @on(events.Resize)
    def redraw(self) -> None:
        train, width, overlay = self.shown.train_losses, self.size.width, self.overlay
        first_steps = [train.first_step]
        if overlay is not None and len(overlay.train_losses):
            first_steps.append(overlay.train_losses.first_step)  # a branch starts where its parent did
        run = Limits(min(first_steps), train.last_step)
        is_wide = width >= SIDE_BY_SIDE_CELLS and run.span >= _SHORT_RUNS
        self.viewport = replace(self.viewport, run=run, is_wide=is_wide)
        if self.viewport.cursor is not None and self.viewport.cursor > run.high:  # an earlier checkpoint was loaded
            self.viewport = self.viewport.with_cursor(self.viewport.cursor)
            self.post_message(self.CursorMoved(self.viewport.cursor))
        options = PlotOptions(
            unit=self.app.loss_unit,
            is_log=self.is_log,
            glyph_set=self.app.glyphs,
            overlay=overlay,
            shows_levels=self.shows_levels,
        )
        self.picture.draw(self.shown, self.viewport, options, width, self.size.height)
        self._paint()

    def _paint(self) -> None:
        """Repaint the cells that differ from those on the screen."""
        before = self._painted
        self._painted = self.picture.with_labels(self.viewport, is_focused=self.has_focus, legend_page=self.legend_page)
        if self._painted.chars.shape != before.chars.shape:
            self.refresh()
        elif regions := [Region(x, y, width, 1) for x, y, width in self._painted.changes(before)]:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        if y >= self._painted.height:
            return Strip.blank(self.size.width, self.rich_style)  # the filter of NO_COLOR fails without a style
        segments = self._painted.segments(y)
        return Strip([Segment(text, self.get_component_rich_style(f"loss-plot--{name}")) for text, name in segments])

    def _move_to(self, viewport: Viewport) -> None:
        """Show other steps or move the cursor, and redraw; without any step there is nothing to show."""
        if not len(self.shown.train_losses):
            return
        before, self.viewport = self.viewport, viewport
        limits_before, limits = ([(kind, each.limits(kind)) for kind in each.panes] for each in (before, viewport))
        if limits_before != limits:
            self.redraw()
        else:
            self._paint()
        if before.cursor != viewport.cursor:
            self.post_message(self.CursorMoved(viewport.cursor))

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Disable `hide_cursor` without a cursor, or with the legend over it, so that escape reaches the panels."""
        return action != "hide_cursor" or (self.legend_page is None and self.viewport.cursor is not None)

    def action_move_cursor(self, num_columns: int) -> None:
        """Move the cursor by columns of the finest pane that shows it, at least a step; it starts at the newest."""
        step, cursor = self.viewport.run.high, self.viewport.cursor
        if cursor is not None and self.picture.panes:
            pane = self.picture.pane_of(cursor)
            num_steps = max(round(abs(num_columns) * pane.num_steps / pane.width), 1)
            step = cursor + math.copysign(num_steps, num_columns)
        self._move_to(self.viewport.with_cursor(step))

    def action_zoom(self, direction: int) -> None:
        """Halve (-1) or double (1) the steps in view."""
        self._move_to(self.viewport.zoomed(_ZOOM**direction))

    def action_pan(self, direction: int) -> None:
        """Pan back (-1) or on (1) by half of the steps in view."""
        self._move_to(self.viewport.panned(direction * self.viewport.limits(self.viewport.panes[-1]).span / 2))

    def action_first(self) -> None:
        self._move_to(self.viewport.with_cursor(self.viewport.run.low))

    def action_follow(self) -> None:
        """Hide the cursor and follow the newest step."""
        self._move_to(self.viewport.following())

    def action_hide_cursor(self) -> None:
        """Hide the cursor, and follow again if the pane followed before it was shown."""
        self._move_to(self.viewport.with_cursor(None))

    def action_reset(self) -> None:
        self._move_to(self.viewport.reset())

    @on(events.MouseScrollUp)
    @on(events.MouseScrollDown)
    def _zoom_at_pointer(self, event: events.MouseScrollUp | events.MouseScrollDown) -> None:
        event.stop()
        if (pane := self.picture.pane_under(event.x)) is not None:
            factor = 1 / _WHEEL_ZOOM if isinstance(event, events.MouseScrollUp) else _WHEEL_ZOOM
            self._move_to(self.viewport.zoomed(factor, pane.step_at(event.x - pane.left)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Start to drag; over the pane of the whole run beside another, the other's window moves with the pointer."""
        pane = self.picture.pane_under(event.x)
        if event.button == 1 and pane is not None:
            *_, detail = self.picture.panes.values()
            steps_per_column = pane.num_steps / pane.width * (-1 if pane is detail else 1)
            step = round(pane.step_at(event.x - pane.left))
            self._drag = _Drag(event.x, step, steps_per_column, self.viewport)
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if (drag := self._drag) is not None and (drag.has_moved or event.x != drag.x):
            drag.has_moved = True
            viewport = replace(drag.viewport, run=self.viewport.run)
            self._move_to(viewport.panned((event.x - drag.x) * drag.steps_per_column))

    def on_mouse_up(self) -> None:
        """End the drag; without movement, put the cursor at the pointer."""
        drag, self._drag = self._drag, None
        self.release_mouse()
        if drag is not None and not drag.has_moved:
            self._move_to(self.viewport.with_cursor(drag.step))

    def on_click(self, event: events.Click) -> None:
        if event.chain == _DOUBLE_CLICK:
            self.action_reset()
