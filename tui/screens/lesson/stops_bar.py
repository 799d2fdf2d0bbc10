"""`StopsBar`: the numbers of the stops on one line, those done with a check mark, and the title of the open one."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.content import Content
from textual.widget import Widget

from tui.lesson.stops import STOPS
from tui.screens.lesson.lesson import Lesson
from tui.text.cells import shortened


class StopsBar(Widget):
    """Shows where the lesson is; a click on a number opens its stop."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"stops-bar--current", "stops-bar--done", "stops-bar--other"}
    DEFAULT_CSS = """
    StopsBar {
        height: 1;
        background: $panel;
        .stops-bar--current { color: $text-primary; text-style: bold; }
        .stops-bar--done { color: $text-success; }
        .stops-bar--other { color: $text-muted; }
    }
    """

    def __init__(self, lesson: Lesson) -> None:
        """Show this lesson."""
        super().__init__()
        self._lesson = lesson
        self._targets: list[tuple[range, int]] = []

    def render(self) -> Content:
        """Return the line: ` 1✓ 2✓ [3] 4 5 6 7 8  Teacher forcing (a)`."""
        progress = self._lesson.progress
        styles = {name: self.get_visual_style(f"stops-bar--{name}") for name in ("current", "done", "other")}
        line = Content(" ")
        self._targets = []
        for number in range(1, len(STOPS) + 1):
            is_done, is_current = number in progress.done, number == progress.stop
            text = f"{number}{'✓' if is_done else ''}"
            kind = "current" if is_current else "done" if is_done else "other"
            start = line.cell_length
            line += Content.styled(f"[{text}]" if is_current else text, styles[kind])
            self._targets.append((range(start, line.cell_length), number))
            line += " "
        stop = self._lesson.stop
        title = shortened(stop.title, self.size.width - line.cell_length - 1)
        line += Content.styled(f" {title}", styles["current"])
        part = f"  {stop.part}"
        if line.cell_length + len(part) < self.size.width:
            line += Content.styled(part, styles["other"])
        return line

    async def on_click(self, event: events.Click) -> None:
        """Open the stop under the pointer."""
        for cells, number in self._targets:
            if event.x in cells:
                await self.screen.run_action(f"open_stop({number})")
