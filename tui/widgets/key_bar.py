"""The key bar: the keys that can be pressed now, on one line that is never cut; or a notice in their place.

Textual's `Footer` cuts what does not fit. Here the less important keys are left out of a shorter line, each with its
label. The help and the palette list all keys.
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

from tui.run.model import Need, first_reason
from tui.settings.keys import Key

_MOST_IMPORTANT = (
    *(
        "act",
        "switch",
        "back",
        "pause",
        "help",
        "leave",
        "scroll_text_up",
        "adjust_up",
        "compare",
        "close",
        "explain",
        "next_view_up",
        "send",
        "accept_word",
        "temperature_up",
        "read",
        "pin",
        "copy",
        "move_cursor_up",
        "zoom_up",
        "reset",
        "sample",
        "prompt",
        "open",
        "save",
        "load",
        "checkpoint_filter",
        "open_xray",
        "detach",
        "command_palette",
    ),
    *(
        "finish",
        "ladder",
        "move_up",
        "own_draws",
        "hold_up",
        "move_line_up",
        "free",
        "variant",
        "edit",
        "step",
        "code",
        "go_up",
    ),
)
"""Names of keys; the first are the last to leave as the bar gets narrower."""
PAUSE_LABELS: Mapping[str, str] = {"paused": "resume", "finished": "continue"}
"""What the pause key does in a phase other than training."""
_PAUSES = {"pause", "train"}
"""The pause key, as the main screen and the lesson name it."""
Group = tuple[Key, ...]
"""Neighbours with one label."""


class KeyBar(Widget):
    """Show keys with their labels; a click on one does what the key does."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-bar--key", "key-bar--label", "key-bar--notice", "key-bar--off"}
    DEFAULT_CSS = """
    KeyBar {
        height: 1;
        background: $footer-background;
        .key-bar--key { color: $footer-key-foreground; text-style: bold; }
        .key-bar--label { color: $footer-description-foreground; }
        .key-bar--off { color: $footer-description-foreground 40%; }
        .key-bar--notice { color: $text-warning; text-style: bold; }
    }
    """

    notice: reactive[str] = reactive("")
    """Shown in place of the keys unless it is empty."""
    unmet: reactive[Mapping[Need, str]] = reactive({})
    """Needs that are not met; keys that have one are dim."""
    pause_label: reactive[str] = reactive("pause")
    """What the pause key would do now."""

    def __init__(self, keys: Sequence[Key], target: Widget | None = None) -> None:
        """Show these keys, whose actions are those of `target`, or of the screen."""
        super().__init__()
        self._acting = target
        self._shown_keys = tuple(keys)
        self._targets: list[tuple[range, Key]] = []

    def show_keys(self, keys: Sequence[Key], target: Widget | None = None) -> None:
        """Replace the keys; their actions are those of `target` from now on, if that is given."""
        self._shown_keys = tuple(keys)
        self._acting = target or self._acting
        self.refresh()

    def render(self) -> Content:
        """Return the line."""
        if self.notice:
            self._targets = []
            return Content.styled(f" {self.notice}", self.get_visual_style("key-bar--notice"))
        groups = [tuple(group) for label, group in groupby(self._shown_keys, attrgetter("label")) if label]
        labels = {group: self.pause_label if group[0].name in _PAUSES else group[0].label for group in groups}
        num_spare = self.size.width + 1  # the last one needs no gap after it
        shown: set[Group] = set()
        for group in sorted(groups, key=_rank):
            num_cells = sum(cell_len(key.shown) + 1 for key in group) + cell_len(labels[group]) + 1
            if num_cells > num_spare:
                break
            shown.add(group)
            num_spare -= num_cells
        is_loose = len(shown) == len(groups) and num_spare >= len(groups)
        return self._line({group: labels[group] for group in groups if group in shown}, is_loose=is_loose)

    def _line(self, labels: Mapping[Group, str], *, is_loose: bool) -> Content:
        """Return the keys with these labels, further apart where there is room; record the cell range of each key."""
        line = Content(" " if is_loose else "")
        self._targets = []
        for number, (group, label) in enumerate(labels.items()):
            line += ("  " if is_loose else " ") if number else ""
            for key in group:
                start = line.cell_length
                is_off = bool(first_reason(key.needs, self.unmet))
                line += Content.styled(key.shown, self.get_visual_style(f"key-bar--{'off' if is_off else 'key'}"))
                if key is group[-1]:
                    style = self.get_visual_style(f"key-bar--{'off' if is_off else 'label'}")
                    line += Content.styled(f" {label}", style)
                else:
                    line += " "
                self._targets.append((range(start, line.cell_length), key))
        return line

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        for cells, key in self._targets:
            if event.x in cells:
                await (self._acting or self.screen).run_action(key.action)


def _rank(group: Group) -> int:
    """Return the place of a group in the order of importance; those that are not in it come last."""
    ranks = [_MOST_IMPORTANT.index(key.name) for key in group if key.name in _MOST_IMPORTANT]
    return min(ranks, default=len(_MOST_IMPORTANT))
