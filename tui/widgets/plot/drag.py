"""`Drag`: panning a pane of the loss plot with the mouse. Pure; never handles an event."""

from __future__ import annotations

from dataclasses import dataclass

from tui.widgets.plot.pane import Pane
from tui.widgets.plot.scales import Limits
from tui.widgets.plot.viewport import PlotView


@dataclass
class Drag:
    """A pressed mouse button over a pane."""

    x: int
    """Column where the button was pressed."""
    pane: Pane
    is_overview: bool
    """Whether another pane shows a window of this one: then the pointer moves that window."""
    view: PlotView
    """The view when the button was pressed."""
    has_moved: bool = False

    def moved_to(self, x: int, run: Limits) -> PlotView | None:
        """Return the view for a pointer at column `x`; None while it has not moved."""
        self.has_moved = self.has_moved or x != self.x
        if not self.has_moved:
            return None
        num_steps = (x - self.x) * self.pane.num_steps / self.pane.width
        return self.view.panned(num_steps if self.is_overview else -num_steps, run)
