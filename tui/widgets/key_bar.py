"""The key bar: what can be pressed now, on one line, whole at any width; or a notice in its place.

In place of Textual's `Footer`, which cuts what does not fit: as the line gets shorter, the less needed keys leave it,
each with its word. The help and the palette hold them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.keys import Key

_NEEDED_MOST = (
    *("pause", "help", "leave", "ladder", "sample", "open", "save", "detach", "load", "app.command_palette"),
    "prompt",
)
"""Actions whose keys stay the longest as the bar gets narrower."""
Group = tuple[Key, ...]
"""Neighbours with one label."""


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

    def __init__(self, keys: Sequence[Key], target: Widget | None = None) -> None:
        """Show these keys, whose actions are those of `target`, or of the screen."""
        super().__init__()
        self._acting = target
        self._shown_keys = tuple(keys)
        self._targets: list[tuple[range, Key]] = []

    def show_keys(self, keys: Sequence[Key]) -> None:
        """Show these keys from now on."""
        self._shown_keys = tuple(keys)
        self.refresh()

    def render(self) -> Content:
        """Return the line."""
        if self.notice:
            self._targets = []
            return Content.styled(f" {self.notice}", self.get_visual_style("key-bar--notice"))
        groups = [tuple(group) for label, group in groupby(self._shown_keys, attrgetter("label")) if label]
        labels = {group: self.pause_label if group[0].action == "pause" else group[0].label for group in groups}
        num_spare = self.size.width + 1  # the last one needs no gap after it
        shown: set[Group] = set()
        for group in sorted(groups, key=_need):
            num_cells = sum(cell_len(key.shown) for key in group) + 1 + cell_len(labels[group]) + 1
            if num_cells > num_spare:
                break
            shown.add(group)
            num_spare -= num_cells
        is_loose = len(shown) == len(groups) and num_spare >= len(groups)
        return self._line({group: labels[group] for group in groups if group in shown}, is_loose=is_loose)

    def _line(self, labels: Mapping[Group, str], *, is_loose: bool) -> Content:
        """Return the keys with these labels, further apart where there is room."""
        line = Content(" " if is_loose else "")
        self._targets = []
        for number, (group, label) in enumerate(labels.items()):
            line += ("  " if is_loose else " ") if number else ""
            for key in group:
                start = line.cell_length
                line += Content.styled(key.shown, self.get_visual_style("key-bar--key"))
                if key is group[-1]:
                    line += Content.styled(f" {label}", self.get_visual_style("key-bar--label"))
                self._targets.append((range(start, line.cell_length), key))
        return line

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        for cells, key in self._targets:
            if event.x in cells:
                await (self._acting or self.screen).run_action(key.action)


def _need(group: Group) -> int:
    """Return how far down the list of needs a group stands."""
    return min(
        (_NEEDED_MOST.index(key.action) for key in group if key.action in _NEEDED_MOST), default=len(_NEEDED_MOST)
    )
