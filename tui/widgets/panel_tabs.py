"""`PanelTabs`: names the panels above the one that fits on a very small terminal. Never switches: runs the action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget


class PanelTabs(Widget):
    """Shows the names of all panels, the current one in brackets. A click selects the next."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"panel-tabs--current", "panel-tabs--other"}
    DEFAULT_CSS = """
    PanelTabs {
        display: none;
        height: 1;
        background: $panel;
        .panel-tabs--current { color: $text-primary; text-style: bold; }
        .panel-tabs--other { color: $text-muted; }
    }
    """

    current: reactive[int] = reactive(0)
    """Index of the panel that is shown."""
    temperature: reactive[str] = reactive("")
    """Shown here, as the visible panel may not show it."""

    def __init__(self, names: Sequence[str]) -> None:
        """Show these names, in the order in which the key cycles through them."""
        super().__init__()
        self._panel_names = tuple(names)

    def render(self) -> Content:
        """Return the line: ` [tweets] plot status  temp 0.80 tab 1/3`."""
        current, other = (self.get_visual_style(f"panel-tabs--{name}") for name in ("current", "other"))
        line = Content(" ")
        for number, name in enumerate(self._panel_names):
            is_current = number == self.current
            line += Content.styled(f"[{name}] " if is_current else f"{name} ", current if is_current else other)
        end = f"temp {self.temperature}  tab {self.current + 1}/{len(self._panel_names)}"
        return line + Content.styled(end.rjust(self.size.width - line.cell_length), other)

    async def on_click(self, event: events.Click) -> None:
        """Show the next panel."""
        event.stop()
        await self.screen.run_action("dispatch('panels.panel', 1)")
