"""`PictureView`: paints a picture of `tui.xray.spans`, of an update only the changed cells."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, get_args

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tui.terminal.app import TerminalApp
from tui.widgets.line_view import changed_cells
from tui.xray.drawing import ASCII, NUM_CELL_SHADES, UNICODE, Glyphs, Kind, Line, Picture, Span, share_of

NUM_SHADES = 4
"""Steps of a hue below text."""
_STRONGEST_BELOW_TEXT = 0.4
"""How much of a hue the background of a text has at most, so that the text can be read."""


class PictureView(Widget):
    """Shows a picture."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"picture--{kind}" for kind in get_args(Kind)),
        *("picture--negative", "picture--positive"),
    }
    DEFAULT_CSS = """
    PictureView {
        height: auto;
        & > .picture--text { color: $foreground; }
        & > .picture--muted { color: $text-muted; }
        & > .picture--title { color: $text-primary; text-style: bold; }
        & > .picture--value { color: $foreground; text-style: bold; }
        & > .picture--bar, & > .picture--cell { color: $primary; }
        & > .picture--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: bold;
        }
        & > .picture--good { color: $text-success; }
        & > .picture--bad { color: $text-error; }
        & > .picture--problem { color: $text-warning; }
        & > .picture--negative { color: $negative; }
        & > .picture--positive { color: $positive; }
    }
    """

    def __init__(self, picture: Picture = ()) -> None:
        """Show `picture` first."""
        super().__init__()
        self.picture = picture

    @property
    def glyphs(self) -> Glyphs:
        """The glyphs that the terminal can show."""
        is_ascii = isinstance(self.app, TerminalApp) and self.app.glyphs == "ascii"
        return ASCII if is_ascii else UNICODE

    def show_picture(self, picture: Picture) -> None:
        """Show another picture; repaint the changed cells."""
        before, self.picture = self.picture, picture
        if len(before) != len(picture):
            self.refresh(layout=True)
            return
        regions = [
            Region(start, y, end - start, 1)
            for y, (old, new) in enumerate(zip(before, picture, strict=True))
            if old != new
            for start, end in changed_cells(self._strip(old), self._strip(new))
        ]
        if regions:
            self.refresh(*regions)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return the number of lines."""
        return len(self.picture)

    def render_line(self, y: int) -> Strip:
        """Return line `y` of the widget."""
        return self._strip(self.picture[y] if y < len(self.picture) else ())

    def _strip(self, line: Line) -> Strip:
        return Strip(map(self._segment, line)).adjust_cell_length(self.size.width, self.rich_style)

    def _segment(self, span: Span) -> Segment:
        """Return a span as drawn; over a shade, text has the colour that contrasts with all shades."""
        style = self.get_component_rich_style(f"picture--{span.kind}")
        value = span.shade or 0.0
        if span.kind == "cell":
            has_colours = not self.app.no_color and self.app.console.color_system is not None
            shade = self._shade(value, NUM_CELL_SHADES, 1.0) if has_colours else Style.null()
            return Segment(span.drawn(has_colours=has_colours), style + shade)
        shade = self._shade(value, NUM_SHADES, _STRONGEST_BELOW_TEXT)
        if not shade or span.kind == "cursor":
            return Segment(span.text, style)
        colour = style.color if span.kind == "bar" else self.get_component_rich_style("picture--text").color
        return Segment(span.text, style + Style(color=colour) + shade)

    def _shade(self, value: float, num_steps: int, strongest: float) -> Style:
        """Return the background of a value: `strongest` of a hue at -1 and 1, none of it at 0."""
        share = share_of(value, num_steps)
        if not share:
            return Style.null()
        hue = self.get_component_rich_style(f"picture--{'positive' if value > 0 else 'negative'}")
        return _background(hue, strongest * share)


@lru_cache(256)
def _background(style: Style, share: float) -> Style:
    """Return the background of a style with a share of its colour in it."""
    paper, hue = Color.from_rich_color(style.bgcolor), Color.from_rich_color(style.color)
    return Style(bgcolor=paper.blend(hue, share).rich_color)
