"""`PictureView`: a `LineView` whose spans have shades, as in `tui.xray.drawing`; `LivePicture`: one of a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import ClassVar, get_args

from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tui.text import cells
from tui.widgets.line_view import LineView
from tui.xray.drawing import ASCII, NUM_CELL_SHADES, UNICODE, Glyphs, Kind, Picture, Span, share_of

_BRIGHT = 0.4
"""On a colour brighter than this, black is easier to read than white."""
NUM_SHADES = 4
"""Steps of a hue below text."""
_STRONGEST_BELOW_TEXT = 0.4
"""How much of a hue the background of a text has at most, so that the text can be read."""


class PictureView(LineView):
    """Shows the picture that `lines_for` returns."""

    STYLE_PREFIX = "picture"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"picture--{kind}" for kind in get_args(Kind)),
        *("picture--negative", "picture--positive"),
    }

    @property
    def glyphs(self) -> Glyphs:
        return ASCII if self.app.glyphs == "ascii" else UNICODE

    def on_mount(self) -> None:
        self.watch(self.app, "glyphs", self.redraw, init=False)

    def _segment(self, span: cells.Span) -> Segment:
        """Return a span as drawn; over a shade, text has the colour that contrasts with all shades."""
        style = self.style_of(span.style)
        if not isinstance(span, Span) or span.shade is None:
            return Segment(span.text, style)
        if span.style == "cell":
            has_colours = not self.app.no_color and self.app.console.color_system is not None
            shade = self._shade(span.shade, NUM_CELL_SHADES, 1.0) if has_colours else Style.null()
            return Segment(span.drawn(has_colours=has_colours), style + shade)
        shade = self._shade(span.shade, NUM_SHADES, _STRONGEST_BELOW_TEXT)
        if not shade or span.style == "cursor":
            return Segment(span.text, style)
        colour = style.color if span.style == "bar" else self.style_of("text").color
        return Segment(span.text, style + shade + Style(color=colour))

    def _shade(self, value: float, num_steps: int, strongest: float) -> Style:
        """Return the background of a value: `strongest` of a hue at -1 and 1, none of it at 0."""
        share = share_of(value, num_steps)
        if not share:
            return Style.null()
        return _background(self.style_of("positive" if value > 0 else "negative"), strongest * share)


class LivePicture(PictureView, can_focus=True):
    """Fills its place with the picture that a function returns for the size; a `redraw` calls it again."""

    def __init__(self, make_picture: Callable[[int, int, Glyphs], Picture]) -> None:
        """Show the picture that `make_picture` returns for a width and a height."""
        super().__init__()
        self._make_picture = make_picture

    def lines_for(self, width: int) -> Sequence[cells.Line]:
        return self._make_picture(width, self.size.height, self.glyphs) if self.size.area else ()


@lru_cache(256)
def _background(style: Style, share: float) -> Style:
    """Return a background with a share of a style's colour in it, and black or white for a sign on it."""
    paper, hue = Color.from_rich_color(style.bgcolor), Color.from_rich_color(style.color)
    shade = paper.blend(hue, share)
    return Style(color="#000000" if shade.brightness > _BRIGHT else "#ffffff", bgcolor=shade.rich_color)
