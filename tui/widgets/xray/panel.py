"""`XrayPanel`: a text under the lamp, one view of what the model computes along it, and their keys.

Posts the commands that it needs answered; its owner sends them, and passes the answers to `show`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from tui.settings.key_table import keys_of
from tui.settings.keys import Key, bindings_of
from tui.widgets.xray.asking_view import MAX_SEED, AskingView
from tui.xray.view_names import ViewName

_KEYS_OF_VIEWS: dict[ViewName, frozenset[str]] = {
    "step": frozenset({"own_draws", "redraw"}),
    "gates": frozenset({"variant", "layer"}),
    "reach": frozenset({"variant"}),
    "units": frozenset({"move_line_up", "move_line_down", "hold_down", "hold_up", "free", "redraw"}),
    "map": frozenset(),
}
"""Names of the keys that only some views have."""
_VARIANTS: dict[ViewName, str] = {"gates": "gate", "reach": "measure"}
"""What the key of variants changes, by view."""


def xray_bar_keys(view: ViewName) -> tuple[Key, ...]:
    """Return the key bar of a screen with the panel, which depends on the view."""
    others = frozenset().union(*_KEYS_OF_VIEWS.values()) - _KEYS_OF_VIEWS[view]
    return tuple(
        replace(key, label=_VARIANTS[view]) if key.name == "variant" else key
        for key in keys_of("xray", "xray screen")
        if key.label and key.name not in others
    )


class XrayPanel(AskingView, can_focus=True):
    """Shows a text and one view of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(keys_of("xray")),
        Binding("escape", "close_explanation", show=False),
    ]
    DEFAULT_CSS = "XrayPanel { height: 1fr; }"

    def __init__(self, text: str = "", view: ViewName = "step", clock: Callable[[], float] = time.monotonic) -> None:
        """Show `text` in `view`."""
        super().__init__(text, view, clock)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the character under the pointer, or show the view whose name it is."""
        offset = event.get_content_offset(self)
        drawn = self._drawn
        if offset is None or drawn is None:
            return
        if offset.y == 0:
            for cells, name in drawn.views:
                if offset.x in cells:
                    self.action_view(name)
        elif offset.y in drawn.strip_rows and self._help_top is None:
            row = offset.y - drawn.strip_rows.start
            symbol = drawn.strip.symbol_at(offset.x, row, self.cursor, len(drawn.strip_rows))
            if symbol is not None:
                self.cursor = symbol

    def action_move(self, step: int) -> None:
        """Move the cursor by characters."""
        self.cursor += step

    def action_move_to_start(self) -> None:
        """Move the cursor to `<BOS>`."""
        self.cursor = 0

    def action_move_to_end(self) -> None:
        """Move the cursor to the last character."""
        self.cursor = len(self.text)

    def action_move_line(self, step: int) -> None:
        """Move the cursor to the line above (-1) or below (1), or the selection of units, or the explanation."""
        if self._help_top is not None:
            self._help_top = max(self._help_top + step, 0)
            self._draw()
        elif self.view_name == "units":
            self._select_unit(step)
            self._update()
        elif self._drawn is not None:
            self.cursor = self._drawn.strip.moved_by_lines(self.cursor, step)

    def action_view(self, view: ViewName) -> None:
        """Show a view."""
        self._set(replace(self._state, view=view))

    def action_next_view(self, step: int) -> None:
        """Show the next (1) or previous (-1) view."""
        self._set(self._state.with_next_view(step))

    def action_own_draws(self) -> None:
        """Feed the model its own draws too, from the cursor on; or the text only."""
        self._set(self._state.with_own_draws_toggled())

    def action_redraw(self) -> None:
        """Draw again with another seed."""
        self._set(replace(self._state, seed=secrets.randbelow(MAX_SEED)))

    def action_variant(self) -> None:
        """Show the next gate, or as many as fit; measure reach in the other way."""
        if self.view_name == "gates":
            self._set(self._state.with_next_gate())
        elif self.view_name == "reach":
            self._set(self._state.with_other_method())

    def action_layer(self) -> None:
        """Show the next layer."""
        if self._content is None or self.view_name not in {"step", "gates"}:
            return
        if self._content.num_layers == 1:
            self.notify("The model has one layer.", markup=False)
        else:
            self._set(replace(self._state, layer=(self._state.layer + 1) % self._content.num_layers))

    def action_hold(self, direction: int) -> None:
        """Hold the selected unit higher (1) or lower (-1)."""
        if self.view_name == "units":
            self._set(self._state.with_value(direction))

    def action_free(self) -> None:
        """Free the held unit."""
        self._set(replace(self._state, value=None))

    def action_follow(self) -> None:
        """Follow the training, or hold still."""
        self._is_following = not self._is_following
        self._update()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """Leave the key that closes the explanation to the screen where none is shown."""
        return action != "close_explanation" or self._help_top is not None

    def action_close_explanation(self) -> None:
        """Show the view in place of its explanation."""
        self.action_explain()

    def action_explain(self) -> None:
        """Explain the view, or show it again."""
        self._help_top = 0 if self._help_top is None else None
        self._draw()
