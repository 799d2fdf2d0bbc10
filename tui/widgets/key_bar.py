"""The key bar: what can be pressed now, on one line, whole at any width; or a notice in its place.

In place of Textual's `Footer`, which cuts what does not fit: this one drops words before it drops keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.keys import Key

_LABELLED_FIRST = {"pause", "help", "leave"}
"""The keys that keep their label the longest as the bar gets narrower."""


class KeyBar(Widget):
    """Show keys with their labels; a click on one does what the key does."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-bar--key", "key-bar--label", "key-bar--notice"}
    DEFAULT_CSS = """
    KeyBar {
        height: 1;
        background: $footer-background;
        .key-bar--key { color: $footer-key-foreground; text-style: bold; }
        .key-bar--label { color: $footer-description-foreground; }
        .key-bar--notice { color: $text-warning; text-style: bold; }
    }
    """

    notice: reactive[str] = reactive("")
    """Stands in place of the keys while it is not empty."""
    pause_label: reactive[str] = reactive("pause")
    """What the pause key would do now."""

    def __init__(self, keys: Sequence[Key]) -> None:
        """Show these keys."""
        super().__init__()
        self._shown_keys = tuple(keys)
        self._targets: list[tuple[range, Key]] = []

    def render(self) -> Content:
        """Return the line."""
        if self.notice:
            return Content.styled(f" {self.notice}", self.get_visual_style("key-bar--notice"))
        labels = {key: self.pause_label if key.action == "pause" else key.label for key in self._shown_keys}
        # a key without a label of its own stands right before the one whose label it shares
        num_gaps = sum(bool(key.label) for key in self._shown_keys) - 1
        num_spare = self.size.width - num_gaps - sum(len(key.shown) for key in self._shown_keys)
        labelled = set()
        for key in sorted(self._shown_keys, key=lambda key: key.action not in _LABELLED_FIRST):
            num_cells = len(labels[key]) + 1
            if key.label and num_cells <= num_spare:
                labelled.add(key)
                num_spare -= num_cells
        is_loose = len(labelled) == num_gaps + 1 and num_spare >= num_gaps + 1
        return self._line({key: labels[key] if key in labelled else "" for key in self._shown_keys}, is_loose=is_loose)

    def _line(self, labels: Mapping[Key, str], *, is_loose: bool) -> Content:
        """Return the keys with these labels, further apart where there is room."""
        line = Content(" " if is_loose else "")
        self._targets = []
        for key in self._shown_keys:
            start = line.cell_length
            piece = Content.styled(key.shown, self.get_visual_style("key-bar--key"))
            if labels[key]:
                piece += Content.styled(f" {labels[key]}", self.get_visual_style("key-bar--label"))
            gap = ("  " if is_loose else " ") if key.label else ""
            line += piece
            self._targets.append((range(start, line.cell_length), key))
            line += gap
        return line

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        for cells, key in self._targets:
            if event.x in cells:
                await self.screen.run_action(key.action)
