"""`PanelRule`: the rule above a panel, with its heading at the left and facts about it at the right."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from tui.formatting.cells import cell_len

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
