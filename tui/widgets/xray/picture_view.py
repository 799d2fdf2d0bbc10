"""`PictureView`: paints a picture of `tui.xray.spans`, of an update only the changed cells."""

from __future__ import annotations

from typing import ClassVar, get_args

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.status.line_panel import changed_cells
from tui.widgets.terminal_info import TerminalInfo
from tui.xray.glyphs import ASCII, UNICODE, Glyphs
from tui.xray.spans import Kind, Line, Picture, Span

NUM_SHADES = 4
"""Steps of a hue. Few, so that a following view repaints few cells and changes colour rarely within a line."""


class PictureView(Widget):
    """Shows a picture."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"picture--{kind}" for kind in get_args(Kind)),
        *(f"picture--{sign}-{step}" for sign in ("plus", "minus") for step in range(1, NUM_SHADES + 1)),
    }
    DEFAULT_CSS = """
    PictureView {
        height: auto;
        & > .picture--text { color: $foreground; }
        & > .picture--muted { color: $text-muted; }
        & > .picture--title { color: $text-primary; text-style: bold; }
        & > .picture--value { color: $foreground; text-style: bold; }
        & > .picture--bar { color: $primary; }
        & > .picture--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: bold;
        }
        & > .picture--good { color: $text-success; }
        & > .picture--bad { color: $text-error; }
        & > .picture--problem { color: $text-warning; }
        & > .picture--plus-1 { background: $primary 10%; }
        & > .picture--plus-2 { background: $primary 20%; }
        & > .picture--plus-3 { background: $primary 30%; }
        & > .picture--plus-4 { background: $primary 40%; }
        & > .picture--minus-1 { background: $warning 10%; }
        & > .picture--minus-2 { background: $warning 20%; }
        & > .picture--minus-3 { background: $warning 30%; }
        & > .picture--minus-4 { background: $warning 40%; }
    }
    """

    def __init__(self, picture: Picture = ()) -> None:
        """Show `picture` first."""
        super().__init__()
        self.picture = picture

    @property
    def glyphs(self) -> Glyphs:
        """The glyphs that the terminal can show."""
        is_ascii = isinstance(self.app, TerminalInfo) and self.app.glyphs == "ascii"
        return ASCII if is_ascii else UNICODE

    def show_picture(self, picture: Picture) -> None:
        """Show another picture; repaint the changed cells."""
        before, self.picture = self.picture, picture
        if len(before) != len(picture):
            self.refresh(layout=True)
            return
        changed = [(y, old, new) for y, (old, new) in enumerate(zip(before, picture, strict=True)) if old != new]
        cells = [(y, changed_cells(self._strip(old), self._strip(new))) for y, old, new in changed]
        regions = [Region(found[0], y, found[1] - found[0], 1) for y, found in cells if found is not None]
        if regions:
            self.refresh(*regions)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return the number of lines."""
        return len(self.picture)

    def render_line(self, y: int) -> Strip:
        """Return line `y` of the widget."""
        return self._strip(self.picture[y] if y < len(self.picture) else ())

    def _strip(self, line: Line) -> Strip:
        segments = [Segment(span.text, self._style(span)) for span in line]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    def _style(self, span: Span) -> Style:
        """Return the style of a kind; over a shade, text has the colour that contrasts with all shades."""
        style = self.get_component_rich_style(f"picture--{span.kind}")
        step = round(NUM_SHADES * max(-1.0, min(1.0, span.shade or 0.0)))
        if not step or span.kind == "cursor":
            return style
        shade = self.get_component_rich_style(f"picture--{'plus' if step > 0 else 'minus'}-{abs(step)}")
        colour = style.color if span.kind == "bar" else self.get_component_rich_style("picture--text").color
        return style + Style(color=colour, bgcolor=shade.bgcolor)
