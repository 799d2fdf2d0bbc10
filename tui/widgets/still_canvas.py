"""`StillCanvas`: a canvas that repaints only what changed on it.

textual-plot draws a plot anew into its canvases, and each of the thousands of pixels set asks for the whole canvas to
be repainted. Here all of that becomes one comparison with what is on the screen, after which only the changed part of
the changed lines goes out. Over ssh that is a few hundred bytes for a few more steps, in place of the whole plot.
"""

from __future__ import annotations

from typing import Self

from textual.geometry import Region
from textual.strip import Strip
from textual_hires_canvas import Canvas


class StillCanvas(Canvas):
    """A `Canvas` whose plain `refresh()` repaints only the cells that differ from the last time."""

    def __init__(self, width: int, height: int, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        """Begin with nothing painted."""
        self.painted: list[Strip] = []
        self.is_repaint_due = False
        super().__init__(width, height, id=id)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Repaint as asked; where that is simply everything, find out what changed, once the drawing is done."""
        if regions or layout or recompose or not repaint:
            return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        if not self.is_repaint_due and self.is_mounted:
            self.is_repaint_due = True
            self.call_next(self.repaint_changes)
        return self

    def repaint_changes(self) -> None:
        """Ask for the changed parts of changed lines to be repainted."""
        self.is_repaint_due = False
        before, self.painted = self.painted, [self.render_line(y) for y in range(self.size.height)]
        if len(before) != len(self.painted):
            super().refresh()
            return
        ranges = [changed_cells(old, new) for old, new in zip(before, self.painted, strict=True)]
        regions = [Region(cells[0], y, cells[1] - cells[0], 1) for y, cells in enumerate(ranges) if cells is not None]
        if regions:
            super().refresh(*regions)


def changed_cells(old: Strip, new: Strip) -> tuple[int, int] | None:
    """Return where the second line differs from the first, end excluded; all of it where characters are wide."""
    if old == new:
        return None
    before, after = ([(char, segment.style) for segment in line for char in segment.text] for line in (old, new))
    if len(before) != len(after) or len(after) != new.cell_length:
        return (0, new.cell_length)
    different = [x for x, (was, now) in enumerate(zip(before, after, strict=True)) if was != now]
    return (different[0], different[-1] + 1) if different else None
