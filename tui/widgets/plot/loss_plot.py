"""`LossPlot`: the loss of a run, whole and close up, live; keys and mouse move through it.

Drawn whenever it is shown a view with a longer curve, and after a key; only changed cells go to the terminal. What is
in view is a `PlotView`, the drawing is done by a `Picture`. It never changes the run: where its cursor goes, it posts
`CursorMoved`.
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

from tui.run.series import Series
from tui.run.view import RunView
from tui.settings.key_table import PLOT_KEYS, bindings_of
from tui.terminal.capabilities import GlyphSet
from tui.widgets.plot.glyphs import StyleName
from tui.widgets.plot.pane import Look, Pane
from tui.widgets.plot.picture import Picture, run_of
from tui.widgets.plot.scales import Limits, LossScale, Unit
from tui.widgets.plot.viewport import PlotView
from tui.widgets.terminal_info import TerminalInfo

SIDE_BY_SIDE_CELLS = 96
"""From this width on there is room for two panes."""
_SHORT_RUNS = 1000
"""Steps; of fewer, the recent part is not worth a pane beside the whole."""
_ZOOM = 2.0
_WHEEL_ZOOM = 1.25
_DOUBLE = 2


@dataclass
class _Drag:
    """The mouse button is held, and went down at column `x` of a pane."""

    x: int
    pane: Pane
    is_overview: bool
    """Whether another pane shows a part of this one: the pointer carries that part along."""
    view: PlotView
    """What was in view then."""
    has_moved: bool = False


class LossPlot(Widget, can_focus=True):
    """The loss curve of a run. `show` it a view as often as you like."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(PLOT_KEYS)
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"loss-plot--{name}" for name in get_args(StyleName)}
    DEFAULT_CSS = """
    LossPlot {
        & > .loss-plot--text { color: $text-muted; }
        & > .loss-plot--axis { color: $foreground 30%; }
        & > .loss-plot--tick { color: $text-muted; }
        & > .loss-plot--band { color: $primary 60%; }
        & > .loss-plot--line { color: $foreground; text-style: bold; }
        & > .loss-plot--overlay { color: $secondary; }
        & > .loss-plot--validation { color: $warning; }
        & > .loss-plot--best { color: $success; text-style: bold; }
        & > .loss-plot--peak { color: $error; }
        & > .loss-plot--mark { color: $text-accent; text-style: bold; }
        & > .loss-plot--window { color: $text-primary; }
        & > .loss-plot--cursor { color: $accent; }
        & > .loss-plot--readout { color: $foreground; }
        &:focus > .loss-plot--axis { color: $border; }
    }
    """

    unit: reactive[Unit] = reactive[Unit]("nats", init=False)
    is_log: reactive[bool] = reactive(default=False, init=False)
    glyphs: reactive[GlyphSet] = reactive[GlyphSet]("braille", init=False)
    overlay: reactive[tuple[str, Series] | None] = reactive[tuple[str, Series] | None](None, init=False)
    """Another run's name and train losses, drawn under our own."""

    @dataclass
    class CursorMoved(Message):
        """The cursor stands at a step; None when it is shown no longer."""

        step: int | None

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own name
        """Begin without a run."""
        super().__init__(id=id, classes=classes)
        self.shown = RunView()
        self.view = PlotView()
        self.picture = Picture()
        self._painted = self.picture.cells
        self._drag: _Drag | None = None

    def on_mount(self) -> None:
        """Draw with the glyphs that the app draws with, and anew after each change of how to draw."""
        if isinstance(self.app, TerminalInfo):
            self.watch(self.app, "glyphs", self._take_glyphs)
        for name in ("unit", "is_log", "glyphs", "overlay"):
            self.watch(self, name, self.redraw, init=False)

    def _take_glyphs(self, glyphs: GlyphSet) -> None:
        self.glyphs = glyphs

    def show(self, view: RunView) -> None:
        """Draw this view, if its curves or marks are not those drawn last."""
        before, self.shown = self.shown, view
        is_same = before.train_losses is view.train_losses and before.val_points is view.val_points
        if self.is_mounted and not (is_same and before.marks is view.marks):
            self.redraw()

    def show_overlay(self, name: str, series: Series) -> None:
        """Draw another run's train losses under our own, until `overlay` is set to None."""
        self.overlay = (name, series)

    def toggle_unit(self) -> None:
        """Show bits in place of nats per character, or the other way round."""
        self.unit = "bits" if self.unit == "nats" else "nats"

    def toggle_log(self) -> None:
        """Make the y axis logarithmic, or linear again."""
        self.is_log = not self.is_log

    def switch_panes(self) -> None:
        """Show the next of: both panes, the whole run, its recent part."""
        self._look(self.view.switched())

    def watch_has_focus(self, has_focus: bool) -> None:  # noqa: FBT001 - Textual's signature
        """Show by frame and legend whether the keys go here."""
        super().watch_has_focus(has_focus)
        self._paint()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.redraw()

    def redraw(self) -> None:
        """Draw the view that was shown last."""
        has_more_to_show = self._run.span >= _SHORT_RUNS
        self.view = self.view.fitted(is_wide=self.size.width >= SIDE_BY_SIDE_CELLS and has_more_to_show)
        if self.view.cursor is not None and self.view.cursor > self._run.high:  # the run went back to a checkpoint
            self.view = self.view.pointed(self.view.cursor, self._run)
            self.post_message(self.CursorMoved(self.view.cursor))
        look = Look(LossScale(self.unit, self.is_log), self.glyphs, self.overlay)
        self.picture.draw(self.shown, self.view, look, self.size.width, self.size.height)
        self._paint()

    def _paint(self) -> None:
        """Have painted what is not so on the screen."""
        before, self._painted = self._painted, self.picture.with_words(self.view, is_focused=self.has_focus)
        if self._painted.chars.shape != before.chars.shape:
            self.refresh()
        elif regions := [Region(x, y, width, 1) for x, y, width in self._painted.changes(before)]:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """Return a row of the plot."""
        if y >= self._painted.height:
            return Strip.blank(self.size.width)
        pieces = self._painted.pieces(y)
        return Strip([Segment(text, self.get_component_rich_style(f"loss-plot--{name}")) for text, name in pieces])

    @property
    def _run(self) -> Limits:
        return run_of(self.shown, self.overlay)

    def _look(self, view: PlotView) -> None:
        """Look at that from now on, and tell where the cursor went; with no step yet, there is nothing to look at."""
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
        """Leave `escape` to the screen while there is no cursor."""
        return action != "hide_cursor" or self.view.cursor is not None

    def action_move(self, num_columns: int) -> None:
        """Move the cursor by columns."""
        pane = self.picture.pane_of(self.view.cursor if self.view.cursor is not None else self._run.high)
        self._look(self.view.moved(num_columns, pane.width if pane else 1, self._run))

    def action_zoom(self, direction: int) -> None:
        """Show half as many steps (-1), or twice as many (1)."""
        self._look(self.view.zoomed(_ZOOM**direction, self._run))

    def action_pan(self, direction: int) -> None:
        """Go back (-1) or on (1) by half of what is in view."""
        span = self.view.limits(self.view.panes[-1], self._run).span
        self._look(self.view.panned(direction * span / 2, self._run))

    def action_first(self) -> None:
        """Put the cursor on the first step."""
        self._look(self.view.pointed(round(self._run.low), self._run))

    def action_follow(self) -> None:
        """Show the newest steps, without a cursor."""
        self._look(self.view.following())

    def action_hide_cursor(self) -> None:
        """Take the cursor away, and follow again if it was only held for it."""
        self._look(self.view.pointed(None, self._run))

    def action_reset(self) -> None:
        """Go back to what the panes show by themselves."""
        self._look(self.view.reset())

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
            self._look(self.view.zoomed(factor, self._run, pane.step_at(event.x - pane.left)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to drag."""
        pane = self.picture.pane_under(event.x)
        if event.button == 1 and pane is not None:
            *_, detail = self.picture.panes.values()
            self._drag = _Drag(event.x, pane, pane is not detail, self.view)
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Pan with the pointer."""
        drag = self._drag
        if drag is None or not (drag.has_moved or event.x != drag.x):
            return
        drag.has_moved = True
        num_steps = (event.x - drag.x) * drag.pane.num_steps / drag.pane.width
        self._look(drag.view.panned(num_steps if drag.is_overview else -num_steps, self._run))

    def on_mouse_up(self) -> None:
        """Drop, or put the cursor where the pointer is."""
        drag, self._drag = self._drag, None
        self.release_mouse()
        if drag is not None and not drag.has_moved:
            step = drag.pane.step_at(drag.x - drag.pane.left)
            self._look(self.view.pointed(round(step), self._run))

    def on_click(self, event: events.Click) -> None:
        """Reset on a double click."""
        if event.chain == _DOUBLE:
            self.action_reset()
