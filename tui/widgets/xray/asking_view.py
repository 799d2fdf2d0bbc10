"""`AskingView`: the base of the panel, without keys and mouse: asks what its state needs, and draws the answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from textual.message import Message
from textual.reactive import reactive

from engine.protocol.insight import EmbeddingsMapped, Insight, InsightEvent, MapEmbeddings, ScoreUnits, UnitsScored
from engine.text import sanitize
from tui.terminal.app import TerminalApp
from tui.widgets.panels import MAX_WAITING_BYTES
from tui.widgets.xray.contents import Content, content_of
from tui.widgets.xray.layout import PanelLayout, Words, explanation, laid_out, status
from tui.widgets.xray.picture_view import PictureView
from tui.widgets.xray.questions import Questions
from tui.widgets.xray.state import XrayState
from tui.xray.map_layout import aligned
from tui.xray.units_view import UnitId, selectable
from tui.xray.view_names import ViewName

MAX_SEED = 1_000_000
_WAITING: dict[ViewName, str] = {
    "units": "Comparing every hidden unit with concepts, over held-out tweets: "
    "it takes a while beside the training, and is quick while that is paused…"
}
"""The view that takes some seconds."""


class AskingView(PictureView):
    """Shows a text and one view of it; posts the commands that this needs."""

    cursor: reactive[int] = reactive(0, repaint=False, init=False)
    """The input that the model has read last: 0 is `<BOS>`, k the character `text[k - 1]`. `text[k]` is predicted."""

    @dataclass
    class Asked(Message, namespace="xray_panel"):
        """A command is to be sent if the panel still `expects` it; its answer belongs into `XrayPanel.show`."""

        command: Insight

    @dataclass
    class ViewChanged(Message, namespace="xray_panel"):
        """Another view is shown."""

        view: ViewName

    def __init__(self, text: str, view: ViewName, clock: Callable[[], float]) -> None:
        """Show `text` in `view`."""
        super().__init__()
        self._state = XrayState(text=sanitize(text), view=view, seed=secrets.randbelow(MAX_SEED))
        self._questions = Questions(clock, secrets.randbits(31))
        self._step = 0
        self._content: Content | None = None
        self._drawn: PanelLayout | None = None
        self._is_following = True
        self._source = ""
        self._help_top: int | None = None
        """First line of the explanation; None while the view is shown."""

    @property
    def text(self) -> str:
        """The text under the lamp."""
        return self._state.text

    @property
    def view_name(self) -> ViewName:
        """The view that is shown."""
        return self._state.view

    def open(self, text: str, view: ViewName | None = None) -> None:
        """Show another text from its start, in `view` or the present one."""
        state = self._state
        self._set(replace(state, text=sanitize(text), cursor=0, own_from=None, value=None, view=view or state.view))
        self.cursor = 0  # after the text: nothing is asked about the start of the one before

    def expects(self, command: Insight) -> bool:
        """Return whether the answer would be shown: nothing was asked again since the command was posted."""
        return command.request == self._questions.request

    def show(self, event: InsightEvent) -> None:
        """Show an answer; ignore those to other commands than its own."""
        if isinstance(event, EmbeddingsMapped):
            before = self._questions.answer(MapEmbeddings, EmbeddingsMapped)
            event = aligned(event, None if before is None else before[1])
        if self._questions.accept(event):
            if isinstance(event, UnitsScored) and self._state.unit is None:
                self._select_unit(0)
            self._update()

    def show_refusal(self, command_name: str, reason: str) -> None:
        """Show why a command has no answer; ignore those that the panel has not sent."""
        if self._questions.refuse(command_name, reason):
            self._draw()

    def tick(self, step: int) -> None:
        """Ask again if the model has learned since, unless the terminal is behind. `step` is that of the run.

        Called ten times a second.
        """
        self._step = step
        if not isinstance(self.app, TerminalApp) or self.app.num_waiting_bytes <= MAX_WAITING_BYTES:
            self._ask()

    def ask_again(self, source: str = "") -> None:
        """Ask everything again: answers were lost, or another model answers.

        `source` names the weights where they don't change, such as a checkpoint; empty for those of a run.
        """
        self._source = source
        self._questions.forget()
        self._update()

    def validate_cursor(self, cursor: int) -> int:
        """Clamp the cursor to the inputs."""
        return min(max(cursor, 0), len(self.text))

    def watch_cursor(self, cursor: int) -> None:
        """Show the new place."""
        self._set(replace(self._state, cursor=cursor))

    def on_mount(self) -> None:
        """Ask, and redraw when the glyph set changes."""
        if isinstance(self.app, TerminalApp):
            self.watch(self.app, "glyphs", self._draw, init=False)
        self._ask()

    def on_resize(self) -> None:
        """Lay out for the new size."""
        self._draw()

    @property
    def _units(self) -> tuple[UnitId, ...]:
        """The units that can be selected."""
        scored = self._questions.answer(ScoreUnits, UnitsScored)
        return () if scored is None else selectable(scored[1])

    def _select_unit(self, step: int) -> None:
        if self._units:
            self._state = self._state.with_unit(self._units, step)

    def _set(self, state: XrayState) -> None:
        """Show another state, and ask for what that needs."""
        if state.view != self._state.view:
            self._help_top = None
            self.post_message(self.ViewChanged(state.view))
        self._state = state
        self._update()

    def _update(self) -> None:
        """Ask what is due, and draw."""
        self._ask()
        self._draw()

    def _ask(self) -> None:
        """Post the commands that are due."""
        if not self.is_running:
            return
        is_following = self._is_following and not self._source
        for command in self._state.commands(self._questions.request):
            if self._questions.is_due(command, self._step, is_following=is_following):
                self.post_message(self.Asked(command))

    def _draw(self) -> None:
        """Lay out the lines, and repaint the changed cells."""
        width, height = self.size
        if not width or not height:
            return
        state, glyphs = self._state, self.glyphs
        if self._help_top is not None:
            picture, self._help_top = explanation(state.view, self._help_top, width=width, height=height, glyphs=glyphs)
        else:
            self._content = content_of(state, self._questions, glyphs)
            facts = status(state, self._content, self._source, is_following=self._is_following)
            words = Words(status=facts, waiting=_WAITING.get(state.view, "Computing…"), problem=self._problem)
            self._drawn = laid_out(state, self._content, words, width=width, height=height, glyphs=glyphs)
            picture = self._drawn.picture
        self.show_picture(picture)

    @property
    def _problem(self) -> str:
        """Why a command of the view was refused; empty if none was."""
        commands = self._state.commands(self._questions.request)
        return next(filter(None, (self._questions.problem(type(command)) for command in commands)), "")
