"""Stop 1: a typed tweet as ids and one-hot rows."""

from __future__ import annotations

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from engine.protocol.events import Event
from engine.protocol.insight import TextTraced, TraceText
from tui.lesson.pictures.chars_picture import chars_picture
from tui.screens.lesson.live_picture import LivePicture
from tui.screens.lesson.views.base import StopView
from tui.widgets.line_input import LineInput
from tui.xray.drawing import Glyphs, Picture

_EXAMPLE = "@anna happy friday!"
_MAX_CHARS = 140
_MIN_HEIGHT_OF_BOTH = 18
"""Of the terminal; below, in the style sheet's `-tiny`, either the text or the view is shown."""
_REQUEST = 1_000_001


class TweetInput(LineInput):
    """The line. Right at its end goes to the next stop."""

    class AtEnd(Message):
        """Right was pressed at the end."""

    def action_cursor_right(self, select: bool = False) -> None:  # noqa: FBT001, FBT002 - as in `Input`
        """Move the cursor, or go on."""
        if self.cursor_position == len(self.value) and not select:
            self.post_message(self.AtEnd())
        else:
            super().action_cursor_right(select)


class CharsView(StopView):
    """The input line and its rows. The ids are those of the model: its trace has them."""

    def compose(self) -> ComposeResult:
        """Lay out line and rows."""
        yield TweetInput(_EXAMPLE, max_length=_MAX_CHARS, select_on_focus=False, id="tweet")
        yield LivePicture(self._picture)

    def on_mount(self) -> None:
        """Start without an answer, and with the example selected: what is typed replaces it."""
        self.query_one(TweetInput).action_select_all()
        self._traced: TextTraced | None = None

    @property
    def first_focus(self) -> Widget | None:
        """The line, so that typing acts at once; in a small terminal the text, which has the screen to itself then."""
        return self.query_one(TweetInput) if self.app.size.height >= _MIN_HEIGHT_OF_BOTH else None

    def typed(self, character: str) -> None:
        """Type it in the line."""
        line = self.query_one(TweetInput)
        self.screen.set_focus(line)
        line.replace(character, *line.selection)

    def act(self) -> None:
        """Move the focus to the line."""
        self.screen.set_focus(self.query_one(TweetInput))

    @on(TweetInput.AtEnd)
    async def _go_on(self) -> None:
        await self.screen.run_action("go(1)")

    def run_is_ready(self) -> None:
        """Ask for the ids of the line."""
        self._ask()

    @on(Input.Changed)
    def _ask(self) -> None:
        text = self.query_one(Input).value
        if not text and self._traced is not None:  # a model has nothing to trace
            self._traced = replace(self._traced, text="", token_ids=self._traced.token_ids[:1])
            self.query_one(LivePicture).redraw()
        elif text and self.lesson.run.is_ready:
            self.lesson.run.send(TraceText(text=text, request=_REQUEST))

    def handle(self, event: Event) -> None:
        """Show the ids; those of a typed tweet count."""
        if isinstance(event, TextTraced) and event.request == _REQUEST and self.query_one(Input).value:
            self._traced = event
            self.query_one(LivePicture).redraw()
            if event.text != _EXAMPLE:
                self.lesson.record(typed_ids=event.token_ids[1:])

    def _picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        traced = self._traced
        if traced is None:
            return ()
        return chars_picture(traced.text, traced.token_ids[1:], traced.vocab_size, width, height, glyphs)
