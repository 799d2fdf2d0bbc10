"""`Drag`: what it does to the plot to hold the mouse button down over it and move. Pure; knows columns, not events."""

from __future__ import annotations

from dataclasses import dataclass

from tui.plot_view import PlotView
from tui.widgets.plot_pane import Pane
from tui.widgets.plot_picture import Picture
from tui.widgets.plot_scales import Limits


@dataclass
class Drag:
    """The button went down at a column of a pane."""

    x: int
    pane: Pane
    is_overview: bool
    """Whether that is the pane that stays whole: there the pointer carries along the part that the other one shows."""
    view: PlotView
    """What was in view then."""
    has_moved: bool = False

    @property
    def step(self) -> int:
        """The step where it went down."""
        return round(self.pane.step_at(self.x - self.pane.left))

    def takes(self, x: int) -> bool:
        """Say whether the pointer at `x` drags, and does not just tremble where it is."""
        self.has_moved = self.has_moved or x != self.x
        return self.has_moved

    def view_at(self, x: int, run: Limits) -> PlotView:
        """Return what is in view with the pointer at a column."""
        num_steps = (x - self.x) * self.pane.num_steps / self.pane.width
        return self.view.panned(num_steps if self.is_overview else -num_steps, run)


def drag_from(x: int, picture: Picture, view: PlotView) -> Drag | None:
    """Return what begins at a column of the plot, if there is a pane."""
    pane = picture.pane_under(x)
    return None if pane is None else Drag(x, pane, pane is not next(reversed(picture.panes.values())), view)
