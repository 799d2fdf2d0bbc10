"""`AlertBar`: what goes wrong and the key that puts it right, in a line above the key bar while it is true."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.widget import Widget

from engine.text import harmless
from tui.formatting.numbers import shortened
from tui.run.alerts import Alert

_ANSWER_KEY, _DISMISS_KEY = "a", "esc"
_DISMISS_LABEL = " no"
_MIN_TEXT_CELLS = 12
"""Less of what goes wrong says nothing; then the answer stands alone."""


class AlertBar(Widget):
    """Show an alert; a click on a key does what the key does."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"alert-bar--text", "alert-bar--key", "alert-bar--answer"}
    DEFAULT_CSS = """
    AlertBar {
        display: none;
        height: 1;
        background: $error 20%;
        &.-up { display: block; }
        .alert-bar--text { color: $text-error; text-style: bold; }
        .alert-bar--key { color: $footer-key-foreground; text-style: bold; }
        .alert-bar--answer { color: $foreground; }
    }
    """

    def __init__(self) -> None:
        """Begin without an alert."""
        super().__init__()
        self.shown: Alert | None = None
        self._click_targets: list[tuple[range, str]] = []

    def show(self, alert: Alert | None) -> None:
        """Show this alert from now on, or none."""
        if alert != self.shown:
            self.shown = alert
            self.set_class(alert is not None, "-up")
            self.refresh()

    def render(self) -> Content:
        """Return the line: what goes wrong is shortened before the keys are."""
        if self.shown is None:
            return Content("")
        answer = shortened(f" {harmless(self.shown.answer)}", self.size.width - len(f"{_ANSWER_KEY}  {_DISMISS_KEY}"))
        num_cells = len(_ANSWER_KEY) + cell_len(answer) + 2 + len(_DISMISS_KEY) + len(_DISMISS_LABEL)
        text = shortened(f" {harmless(self.shown.text)}", self.size.width - num_cells - 2)
        text = text + "  " if cell_len(text) >= min(_MIN_TEXT_CELLS, cell_len(self.shown.text)) else ""
        return self._line(text, answer)

    def _line(self, text: str, answer: str) -> Content:
        """Return the text, the key with its answer, and the key that dismisses."""
        line = Content.styled(text, self.get_visual_style("alert-bar--text"))
        self._click_targets = []
        for key, label, action in (
            (_ANSWER_KEY, answer, "steering.answer_alert"),
            (_DISMISS_KEY, _DISMISS_LABEL, "steering.dismiss_alert"),
        ):
            start = line.cell_length
            line += Content.styled(key, self.get_visual_style("alert-bar--key"))
            line += Content.styled(label, self.get_visual_style("alert-bar--answer"))
            self._click_targets.append((range(start, line.cell_length), action))
            line += "  "
        return line

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        for cells, action in self._click_targets:
            if event.x in cells:
                await self.screen.run_action(f"dispatch('{action}')")
