"""`XrayPanel`: a text, one view of what the model computes along it, and their keys.

Posts the commands that it needs answered; its owner sends them, and passes the answers to `show`. A view is a
`tui.xray.state.View`: the panel asks what that asks, and draws what it shows.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from msgspec import structs
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive

from engine.protocol.insight import EmbeddingsMapped, Insight, InsightEvent, MapEmbeddings
from engine.text import sanitize
from tui.settings.key_table import Key, keys_of
from tui.settings.keys import bindings_of
from tui.text.cells import Line
from tui.widgets.line_view import Click
from tui.widgets.panels import MAX_WAITING_BYTES
from tui.widgets.xray.picture_view import PictureView
from tui.widgets.xray.questions import Questions
from tui.xray.char_map import aligned
from tui.xray.state import Shown, View, ViewName, XrayState
from tui.xray.text_strip import TextStrip
from tui.xray.views import VIEWS, explanation, panel_lines

_MAX_SEED = 1_000_000
_VALUE_STEP = 0.25
"""Change of the value of a held unit by one key."""


def xray_bar_keys(view: ViewName) -> tuple[Key, ...]:
    """Return the key bar of a screen with the panel, which depends on the view."""
    others = frozenset().union(*(each.keys for each in VIEWS.values())) - VIEWS[view].keys
    return tuple(
        replace(key, label=VIEWS[view].variant) if key.name == "variant" else key
        for key in keys_of("xray", "xray screen")
        if key.label and key.name not in others
    )


class XrayPanel(PictureView, can_focus=True):
    """Shows a text and one view of it; posts the commands that this needs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(keys_of("xray")),
        Binding("escape", "close_explanation", show=False),
    ]
    cursor: reactive[int] = reactive(0, repaint=False, init=False)
    """The input that the model has read last: 0 is `<BOS>`, k the character `text[k - 1]`. `text[k]` is predicted."""

    @dataclass
    class Asked(Message):
        """A command is to be sent if the panel still `expects` it; its answer belongs into `XrayPanel.show`."""

        command: Insight

    @dataclass
    class ViewChanged(Message):
        """Another view is shown."""

        view: ViewName

    def __init__(self, text: str = "", view: ViewName = "step", clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.target = self
        self._state = XrayState(text=sanitize(text), view=view, seed=secrets.randbelow(_MAX_SEED))
        self._questions = Questions(clock, secrets.randbits(31))
        self._step = 0
        self._shown_answers: Shown | None = None
        self._drawn_text: tuple[TextStrip, int] | None = None
        """The text and the number of its lines; None before it is drawn."""
        self._is_following = True
        self._source = ""
        self._help_top: int | None = None
        """First line of the explanation; None while the view is shown."""

    @property
    def text(self) -> str:
        return self._state.text

    @property
    def view_name(self) -> ViewName:
        return self._state.view

    @property
    def _view(self) -> View:
        return VIEWS[self._state.view]

    def open(self, text: str) -> None:
        """Show another text from its start."""
        self._set(replace(self._state, text=sanitize(text), cursor=0, own_from=None, value=None))
        self.cursor = 0  # after the text: nothing is asked about the start of the one before

    def expects(self, command: Insight) -> bool:
        """Return whether the answer would be shown: nothing was asked again since the command was posted."""
        return command.request == self._questions.request

    def show(self, event: InsightEvent) -> None:
        """Show an answer; ignore those to other commands than its own."""
        if isinstance(event, EmbeddingsMapped):
            before = self._questions.answers.latest(MapEmbeddings, EmbeddingsMapped)
            event = event if before is None else aligned(event, before[1])
        if self._questions.accept(event):
            self._update()

    def show_refusal(self, command_name: str, reason: str) -> None:
        """Show why a command has no answer; ignore those that the panel has not sent."""
        if self._questions.refuse(command_name, reason):
            self.redraw()

    def tick(self, step: int) -> None:
        """Ask again if the model has learned since, unless the terminal is behind. `step` is that of the run.

        Called ten times a second.
        """
        self._step = step
        if self.app.num_waiting_bytes <= MAX_WAITING_BYTES:
            self._ask()

    def ask_again(self, source: str = "") -> None:
        """Ask everything again: answers were lost, or another model answers.

        `source` names the weights where they don't change, such as a checkpoint; empty for those of a run.
        """
        self._source = source
        self._questions.forget()
        self._update()

    def validate_cursor(self, cursor: int) -> int:
        return min(max(cursor, 0), len(self.text))

    def watch_cursor(self, cursor: int) -> None:
        self._set(replace(self._state, cursor=cursor))

    def on_mount(self) -> None:
        """Ask for what is shown."""
        self._ask()

    def _set(self, state: XrayState) -> None:
        """Show another state, and ask for what that needs."""
        if state.view != self._state.view:
            self._help_top = None
            self.post_message(self.ViewChanged(state.view))
        self._state = state
        self._update()

    def _update(self) -> None:
        """Select an item in a view of items, ask what is due, and draw."""
        if self._view.select is not None:
            self._state = self._view.select(self._state, self._questions.answers, 0)
        self._ask()
        self.redraw()

    def _ask(self) -> None:
        """Post the commands that are due."""
        if not self.is_running:
            return
        is_following = self._is_following and not self._source
        for asked in self._view.asks(self._state):
            command = structs.replace(asked, request=self._questions.request)
            if self._questions.is_due(command, self._step, is_following=is_following):
                self.post_message(self.Asked(command))

    def lines_for(self, width: int) -> Sequence[Line]:
        height, state, glyphs = self.size.height, self._state, self.glyphs
        if not width or not height:
            return ()
        names = tuple(
            Click(f"[{number} {name}] ", "title", f"view('{name}')")
            if name == state.view
            else Click(f"{number} {name} ", "muted", f"view('{name}')")
            for number, name in enumerate(VIEWS, 1)
        )
        if self._help_top is not None:
            lines, self._help_top = explanation(state.view, self._help_top, width=width, height=height, glyphs=glyphs)
            return (names, *lines)
        shown = self._shown_answers = self._view.show(state, self._questions.answers, glyphs)
        source = self._source or ("follows the training (w)" if self._is_following else "holds still (w)")
        problems = (self._questions.problem(type(command)) for command in self._view.asks(state))
        problem = next(filter(None, problems), "")
        lines, strip, num_lines = panel_lines(state, shown, source, problem, width=width, height=height, glyphs=glyphs)
        self._drawn_text = strip, num_lines
        return (names, *lines)

    async def on_click(self, event: events.Click) -> None:
        """Move the cursor to the character under the pointer; a click on the name of a view acts by itself."""
        offset = event.get_content_offset(self)
        if offset is None or self._drawn_text is None or self._help_top is not None:
            return
        strip, num_lines = self._drawn_text
        if 1 <= offset.y <= num_lines:
            symbol = strip.symbol_at(offset.x, offset.y - 1, self.cursor, num_lines)
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
            self.redraw()
        elif self._view.select is not None:
            self._set(self._view.select(self._state, self._questions.answers, step))
        elif self._drawn_text is not None:
            self.cursor = self._drawn_text[0].moved_by_lines(self.cursor, step)

    def action_view(self, view: ViewName) -> None:
        self._set(replace(self._state, view=view))

    def action_next_view(self, step: int) -> None:
        """Show the next (1) or previous (-1) view."""
        names = list(VIEWS)
        self.action_view(names[(names.index(self.view_name) + step) % len(names)])

    def action_own_draws(self) -> None:
        """Feed the model its own draws too, from the cursor on, in the view that shows them; or the text only."""
        if self._state.own_from is None:
            self._set(replace(self._state, own_from=self.cursor, view="step"))
        else:
            self._set(replace(self._state, own_from=None))

    def action_redraw(self) -> None:
        """Draw again with another seed."""
        self._set(replace(self._state, seed=secrets.randbelow(_MAX_SEED)))

    def action_variant(self) -> None:
        """Show the next gate, or as many as fit; measure reach in the other way."""
        self._set(self._view.with_next_variant(self._state))

    def action_layer(self) -> None:
        num_layers = 0 if self._shown_answers is None else self._shown_answers.num_layers
        if num_layers == 1:
            self.notify("The model has one layer.", markup=False)
        elif num_layers:
            self._set(replace(self._state, layer=(self._state.layer + 1) % num_layers))

    def action_hold(self, direction: int) -> None:
        """Hold the selected unit higher (1) or lower (-1); a free one is held at that end first."""
        if self._view.select is not None:
            value = self._state.value
            value = float(direction) if value is None else value + direction * _VALUE_STEP
            self._set(replace(self._state, value=min(max(value, -1.0), 1.0)))

    def action_free(self) -> None:
        self._set(replace(self._state, value=None))

    def action_follow(self) -> None:
        """Follow the training, or hold still."""
        self._is_following = not self._is_following
        self._update()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """Disable `close_explanation` while none is shown, so that escape reaches the screen."""
        return action != "close_explanation" or self._help_top is not None

    def action_explain(self) -> None:
        """Explain the view, or show it again."""
        self._help_top = 0 if self._help_top is None else None
        self.redraw()

    action_close_explanation = action_explain
