"""`LivePicture`: a picture that fills its place, computed again for each size and whenever its numbers change."""

from __future__ import annotations

from collections.abc import Callable

from tui.terminal.app import TerminalApp
from tui.widgets.xray.picture_view import PictureView
from tui.xray.drawing import Glyphs, Picture

MakePicture = Callable[[int, int, Glyphs], Picture]
"""Returns the picture for a width and a height."""


class LivePicture(PictureView, can_focus=True):
    """Shows what a function returns."""

    DEFAULT_CSS = "LivePicture { height: 1fr; }"

    def __init__(self, make_picture: MakePicture) -> None:
        """Show the picture of `make_picture`."""
        super().__init__()
        self._make_picture = make_picture

    def redraw(self) -> None:
        """Compute the picture again; repaint the changed cells."""
        if self.size.area:
            self.show_picture(self._make_picture(*self.size, self.glyphs))

    def on_resize(self) -> None:
        """Lay out for the new size."""
        self.redraw()

    def on_mount(self) -> None:
        """Redraw when the glyph set changes."""
        if isinstance(self.app, TerminalApp):
            self.watch(self.app, "glyphs", self.redraw, init=False)
