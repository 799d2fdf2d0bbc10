"""`PanelRule`: the rule above a panel, with its heading at the left and facts about it at the right.

`LinePanel`: paints lines of text, of an update only the changed cells. Subclasses compute the lines.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.text.cells import Line, cell_len

_QUIET, _FOCUSED = "─", "━"


class PanelRule(Widget):
    """A rule: light, or heavy and in the colour of the focus while its panel has the focus."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"panel-rule--quiet", "panel-rule--focused", "panel-rule--facts"}
    DEFAULT_CSS = """
    PanelRule {
        height: 1;
        .panel-rule--quiet { color: $border-blurred; }
        .panel-rule--focused { color: $border; }
        .panel-rule--facts { color: $text-muted; }
        color: $text-muted;
        &.-focused { color: $text-primary; }
    }
    """

    def __init__(self, heading: str = "") -> None:
        """Show a heading without facts."""
        super().__init__()
        self._heading, self._facts = Content(heading), Content()
        self._painted = ""

    def show(self, heading: Content, facts: Content, *, is_focused: bool) -> None:
        """Show a heading, facts and the focus; repaint the changed cells."""
        self._heading, self._facts = heading, facts
        is_restyled = is_focused != self.has_class("-focused")
        self.set_class(is_focused, "-focused")
        before, self._painted = self._painted, self.render().plain
        changed = [x for x, (old, new) in enumerate(zip(before, self._painted, strict=False)) if old != new]
        is_whole = is_restyled or len(before) != len(self._painted) or cell_len(self._painted) != len(self._painted)
        if is_whole:
            self.refresh()
        elif changed:
            self.refresh(Region(changed[0], 0, changed[-1] + 1 - changed[0], 1))

    def render(self) -> Content:
        """Return the line: ` ─ tweets ──────── 12 new below ─`."""
        line = _FOCUSED if self.has_class("-focused") else _QUIET
        style = self.get_visual_style(f"panel-rule--{'focused' if line == _FOCUSED else 'quiet'}")
        start = Content.styled(line, style) + Content.styled(f" {self._heading.plain} ", "bold")
        end = Content()
        if self._facts:
            facts = Content.styled(" ", "") + self._facts + Content(" ")
            end = facts.stylize_before(self.get_visual_style("panel-rule--facts")) + Content.styled(line, style)
        num_between = self.size.width - start.cell_length - end.cell_length
        return start + Content.styled(line * max(num_between, 0), style) + end


class LinePanel(Widget):
    """Base of header, status and side panel."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line-panel--label",
        "line-panel--value",
        "line-panel--strong",
        "line-panel--good",
        "line-panel--bad",
        "line-panel--rule",
        "line-panel--heading",
        "line-panel--key",
        "line-panel--train",
        "line-panel--curve",
        "line-panel--val",
        "line-panel--level",
    }
    DEFAULT_CSS = """
    LinePanel {
        height: auto;
        & > .line-panel--label { color: $text-muted; }
        & > .line-panel--value { color: $foreground; }
        & > .line-panel--strong { color: $foreground; text-style: bold; }
        & > .line-panel--good { color: $success; }
        & > .line-panel--bad { color: $error; text-style: bold; }
        & > .line-panel--rule { color: $border-blurred; }
        & > .line-panel--heading { color: $text-muted; text-style: bold; }
        & > .line-panel--key { color: $footer-key-foreground; text-style: bold; }
        & > .line-panel--train { color: $text-accent; text-style: bold; }
        & > .line-panel--curve { color: $accent 60%; }
        & > .line-panel--val { color: $text-primary; text-style: bold; }
        & > .line-panel--level { color: $text-secondary; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def lines_for(self, width: int, height: int) -> list[Line]:
        """Return the lines for a panel of that size."""
        raise NotImplementedError

    def show_lines(self) -> None:
        """Recompute the lines and repaint the changed cells."""
        before, self.lines = self.lines, self.lines_for(self.size.width, self.size.height)
        if len(before) != len(self.lines):
            self.refresh()
            return
        changed = [(y, old, new) for y, (old, new) in enumerate(zip(before, self.lines, strict=True)) if old != new]
        cells = [(y, changed_cells(self._strip(old), self._strip(new))) for y, old, new in changed]
        regions = [Region(found[0], y, found[1] - found[0], 1) for y, found in cells if found is not None]
        if regions:
            self.refresh(*regions)

    def on_resize(self) -> None:
        """Recompute the lines for the new size."""
        self.lines = self.lines_for(self.size.width, self.size.height)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return line `y` of the panel."""
        return self._strip(self.lines[y] if y < len(self.lines) else ())

    def _strip(self, line: Line) -> Strip:
        segments = [Segment(each.text, self.get_component_rich_style(f"line-panel--{each.style}")) for each in line]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)


def changed_cells(old: Strip, new: Strip) -> tuple[int, int] | None:
    """Return first and end column of the changed cells; the whole line if it has characters of two cells or none."""
    if old == new:
        return None
    if not all(cell_len(char) == 1 for line in (old, new) for segment in line for char in segment.text):
        return (0, new.cell_length)
    before, after = ([(char, segment.style) for segment in line for char in segment.text] for line in (old, new))
    if len(before) != len(after):
        return (0, new.cell_length)
    different = [x for x, (was, now) in enumerate(zip(before, after, strict=True)) if was != now]
    return (different[0], different[-1] + 1) if different else None
