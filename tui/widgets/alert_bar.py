"""`AlertBar`: an alert and the key of its remedy, on a line above the key bar while the alert is active."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.widget import Widget

from engine.text import sanitize_line
from tui.formatting.numbers import shortened
from tui.run.alerts import Alert

_REMEDY_KEY, _DISMISS_KEY = "a", "esc"
_DISMISS_LABEL, _SHORT_DISMISS_LABEL = " dismiss", " no"
_MIN_CELLS_FOR_LABEL = 60
_MIN_TEXT_CELLS = 12
"""A shorter text is useless: the remedy is shown alone."""


class AlertBar(Widget):
    """Shows an alert; a click on a key runs its action."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"alert-bar--text", "alert-bar--key", "alert-bar--remedy"}
    DEFAULT_CSS = """
    AlertBar {
        display: none;
        height: 1;
        background: $error 20%;
        &.-up { display: block; }
        .alert-bar--text { color: $text-error; text-style: bold; }
        .alert-bar--key { color: $footer-key-foreground; text-style: bold; }
        .alert-bar--remedy { color: $foreground; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.shown: Alert | None = None
        self._click_targets: list[tuple[range, str]] = []

    def show(self, alert: Alert | None) -> None:
        """Show an alert, or none."""
        if alert != self.shown:
            self.shown = alert
            self.set_class(alert is not None, "-up")
            self.refresh()

    def render(self) -> Content:
        """Return the line: the alert's text is truncated before the keys are."""
        if self.shown is None:
            return Content("")
        remedy = shortened(
            f" {sanitize_line(self.shown.remedy)}", self.size.width - len(f"{_REMEDY_KEY}  {_DISMISS_KEY}")
        )
        dismiss = _DISMISS_LABEL if self.size.width >= _MIN_CELLS_FOR_LABEL else _SHORT_DISMISS_LABEL
        num_cells = len(_REMEDY_KEY) + cell_len(remedy) + 2 + len(_DISMISS_KEY) + len(dismiss)
        text = shortened(f" {sanitize_line(self.shown.text)}", self.size.width - num_cells - 2)
        text = text + "  " if cell_len(text) >= min(_MIN_TEXT_CELLS, cell_len(self.shown.text)) else ""
        return self._line(text, remedy, dismiss)

    def _line(self, text: str, remedy: str, dismiss: str) -> Content:
        """Return text, remedy key and dismiss key."""
        line = Content.styled(text, self.get_visual_style("alert-bar--text"))
        self._click_targets = []
        for key, label, action in (
            (_REMEDY_KEY, remedy, "steering.answer_alert"),
            (_DISMISS_KEY, dismiss, "steering.dismiss_alert"),
        ):
            start = line.cell_length
            line += Content.styled(key, self.get_visual_style("alert-bar--key"))
            line += Content.styled(label, self.get_visual_style("alert-bar--remedy"))
            self._click_targets.append((range(start, line.cell_length), action))
            line += "  "
        return line

    async def on_click(self, event: events.Click) -> None:
        """Run the action of the key under the pointer."""
        for cells, action in self._click_targets:
            if event.x in cells:
                await self.screen.run_action(f"dispatch('{action}')")
