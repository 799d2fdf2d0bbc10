"""The key bar: the keys that can be pressed now, on one line that is never cut; or a notice in their place.

Textual's `Footer` cuts what does not fit. Here the less important keys are left out of a shorter line, each with its
label. The help and the palette list all keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import ClassVar

from textual.reactive import reactive
from textual.widget import Widget

from tui.run.model import Need, first_reason
from tui.settings.key_table import MAIN_KEYS, Key
from tui.settings.keys import KeyMap, mapped
from tui.text.cells import Line, Span, cell_len
from tui.widgets.line_view import Click, LineView

PAUSE_LABELS: Mapping[str, str] = {"paused": "resume", "finished": "continue"}
"""What the pause key does in a phase other than training."""


class Bar(LineView):
    """Base of the bars below the panels: hidden without lines. A click on a key does what the key does."""

    def __init__(self) -> None:
        super().__init__()
        self.map_keys({})

    def map_keys(self, key_map: KeyMap) -> None:
        """Show the keys of the main screen as `key_map` changes them."""
        self._keys = {key.name: key for key in mapped(MAIN_KEYS, key_map)}
        self.redraw()

    def redraw(self) -> None:
        super().redraw()
        self.set_class(bool(self.lines), "-up")


def key_spans(key: Key, label: str, *, is_off: bool = False) -> Line:
    """Return a key with its label, dim if it can't act; a click does what the key does."""
    key_style, label_style = ("off", "off") if is_off else ("key", "label")
    return Click(key.shown, key_style, key.action), Click(f" {label}", label_style, key.action)


class KeyBar(LineView):
    """Show keys with their labels; a click on one does what the key does."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--notice", "line--off"}

    notice: reactive[str] = reactive("", init=False)
    """Shown in place of the keys unless it is empty."""
    unmet: reactive[Mapping[Need, str]] = reactive[Mapping[Need, str]]({}, init=False)
    """Needs that are not met; keys that have one are dim."""
    pause_label: reactive[str] = reactive("pause", init=False)
    """What the pause key would do now."""

    def __init__(self, keys: Iterable[Key], target: Widget | None = None) -> None:
        """Show these keys, whose actions are those of `target`, or of the screen."""
        super().__init__()
        self.target = target
        self._keys = tuple(keys)

    def show_keys(self, keys: Iterable[Key], target: Widget | None = None) -> None:
        """Replace the keys; their actions are those of `target` from now on, if that is given."""
        self._keys, self.target = tuple(keys), target or self.target
        self.redraw()

    watch_notice = watch_unmet = watch_pause_label = LineView.redraw

    def lines_for(self, width: int) -> Sequence[Line]:
        """Return the line: the notice, or the most important keys, further apart where there is room."""
        if self.notice:
            return [(Span(f" {self.notice}", "notice"),)]
        groups = [tuple(group) for label, group in groupby(self._keys, attrgetter("label")) if label]
        labels = [self.pause_label if group[0].label == "pause" else group[0].label for group in groups]
        num_spare = width + 1  # the last one needs no gap after it
        shown = set[int]()
        for number in sorted(range(len(groups)), key=lambda number: min(key.rank for key in groups[number])):
            num_cells = sum(cell_len(key.shown) + 1 for key in groups[number]) + cell_len(labels[number]) + 1
            if num_cells > num_spare:
                break
            shown.add(number)
            num_spare -= num_cells
        is_loose = len(shown) == len(groups) and num_spare >= len(groups)
        line, gap = tuple[Span, ...](), Span("  " if is_loose else " ", "label")
        for number in sorted(shown):
            line += (gap,) if line else ()
            for key in groups[number]:
                label = labels[number] if key is groups[number][-1] else ""
                line += key_spans(key, label, is_off=bool(first_reason(key.needs, self.unmet)))
        return [(Span(" ", "label"), *line) if is_loose else line]
