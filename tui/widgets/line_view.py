"""`LineView`: a widget of lines of text that repaints only the cells that differ. The base of every text panel.

A subclass computes its lines for a size; a span of a line has the style of the component class `line--STYLE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events, getters
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.terminal.app import TerminalApp
from tui.text.cells import MIN_GAP, Line, Span, cell_len


@dataclass(frozen=True)
class Click(Span):
    """A span that a click acts on."""

    action: str


def clickable(line: Iterable[Span], action: str) -> Line:
    """Return a line whose every cell does `action` at a click."""
    return tuple(Click(span.text, span.style, action) for span in line)


class LineView(Widget):
    """Show the lines of `lines_for`; what changes between two drawings is repainted, nothing else."""

    app = getters.app(TerminalApp)
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--key", "line--label"}
    STYLE_PREFIX: ClassVar[str] = "line"

    target: Widget | None = None
    """The widget whose actions the spans name; by default the screen."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Sequence[Line] = ()
        self._strips: list[Strip] = []
        self._styles_of: dict[str, Style] = {}

    def lines_for(self, width: int) -> Sequence[Line]:
        """Return the lines for a content of that width, at most as many as fit into `self.size`."""
        raise NotImplementedError

    def _compute_lines(self) -> list[Strip]:
        """Compute the lines for the present size, and return their strips: for a line that stays, the same one."""
        before, width = dict(zip(self.lines, self._strips, strict=False)), self.size.width
        self.lines = self.lines_for(width)
        return [before[line] if line in before else self._strip(line, width) for line in self.lines]

    def redraw(self) -> None:
        """Compute the lines again, and repaint the cells that have changed."""
        if not self.is_attached:
            return
        before, self._strips = self._strips, self._compute_lines()
        if len(before) != len(self._strips):
            self.refresh()
        elif regions := [
            Region(start, y, end - start, 1)
            for y, (old, new) in enumerate(zip(before, self._strips, strict=True))
            if old is not new
            for start, end in changed_cells(old, new)
        ]:
            self.refresh(*regions)

    def on_mount(self) -> None:
        self.watch(self.app, "loss_unit", self.redraw, init=False)

    def on_resize(self) -> None:
        self._strips = []
        self.redraw()

    def notify_style_update(self) -> None:
        """Paint with other styles. Called by Textual."""
        super().notify_style_update()
        self._styles_of, self._strips = {}, []

    def render_line(self, y: int) -> Strip:
        self._strips = self._strips or self._compute_lines()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.style_of(""))

    def _strip(self, line: Line, width: int) -> Strip:
        return Strip(map(self._segment, line)).adjust_cell_length(width, self.style_of(""))

    def _segment(self, span: Span) -> Segment:
        return Segment(span.text, self.style_of(span.style))

    def style_of(self, name: str) -> Style:
        """Return the style of a component class; of the widget for "". Textual's own cache lasts until a `refresh`."""
        if name not in self._styles_of:
            style = self.get_component_rich_style(f"{self.STYLE_PREFIX}--{name}") if name else self.rich_style
            self._styles_of[name] = style
        return self._styles_of[name]

    async def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        if at is None or at.y >= len(self.lines):
            return
        end = 0
        for span in self.lines[at.y]:
            end += cell_len(span.text)
            if at.x < end:
                if isinstance(span, Click):
                    await self.app.run_action(span.action, self.target or self.screen)
                return


def changed_cells(old: Strip, new: Strip) -> Iterator[tuple[int, int]]:
    """Yield start and end of each run of changed cells; the whole line if it has characters of two cells or of none."""
    if old == new:
        return
    before, after = ([(char, segment.style) for segment in line for char in segment.text] for line in (old, new))
    if len(before) != len(after) or any(cell_len(char) != 1 for char, _ in (*before, *after)):
        yield 0, new.cell_length
        return
    changed = [x for x, (was, now) in enumerate(zip(before, after, strict=True)) if was != now]
    start = end = changed[0] if changed else 0
    for x in changed:
        if x - end >= MIN_GAP:
            yield start, end
            start = x
        end = x + 1
    if changed:
        yield start, end
