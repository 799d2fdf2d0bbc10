"""The stops that look at a model as it is: 1 characters, 2 shapes, 3 teacher forcing, 8 what it learned."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from engine.model.vocab import UNK
from engine.protocol.events import CommandRefused, Event
from engine.protocol.insight import (
    BatchShown,
    EmbeddingsMapped,
    InsightEvent,
    ReachMeasured,
    ShowBatch,
    TextTraced,
    TraceText,
    UnitHeld,
    UnitsScored,
)
from tui.lesson.pictures import Sizes, chars_picture, shapes_picture
from tui.lesson.run import LessonRun
from tui.lesson.stops import Stop, tweet_to_look_at
from tui.screens.lesson.stop_view import StopView
from tui.settings.key_table import Key
from tui.widgets.line_input import LineInput
from tui.widgets.xray.panel import XrayPanel, xray_bar_keys
from tui.widgets.xray.picture_view import LivePicture
from tui.xray.drawing import Glyphs, Picture
from tui.xray.state import ViewName

# Stop 1 ---------------------------------------------------------------------------------------------------------------

_EXAMPLE = "@anna happy friday!"
_MAX_CHARS = 140
_MIN_HEIGHT_OF_BOTH = 18
"""Height of the terminal from which on text and view are both shown, as in the style sheet (`-tiny`)."""
_CHARS_REQUEST = 1_000_001


class TweetInput(LineInput):
    """The line. Right at its end goes to the next stop."""

    class AtEnd(Message):
        """Right was pressed at the end."""

    def action_cursor_right(self, select: bool = False) -> None:  # noqa: FBT001, FBT002 - as in `Input`
        if self.cursor_position == len(self.value) and not select:
            self.post_message(self.AtEnd())
        else:
            super().action_cursor_right(select)


class CharsView(StopView):
    """A typed tweet as ids and one-hot rows. The ids are those of the model: its trace has them."""

    def __init__(self, stop: Stop, run: LessonRun) -> None:
        super().__init__(stop, run)
        self._traced: TextTraced | None = None

    def compose(self) -> ComposeResult:
        yield TweetInput(_EXAMPLE, max_length=_MAX_CHARS, select_on_focus=False, id="tweet")
        yield LivePicture(self.picture)

    def on_mount(self) -> None:
        """Select the example: what is typed replaces it."""
        self.query_one(TweetInput).action_select_all()

    @property
    def is_done(self) -> bool:
        """Whether a typed tweet has an unknown character."""
        return self._traced is not None and UNK in self._traced.token_ids

    @property
    def first_focus(self) -> Widget | None:
        """The line, so that typing acts at once; in a small terminal the text, which has the screen to itself then."""
        return self.query_one(TweetInput) if self.app.size.height >= _MIN_HEIGHT_OF_BOTH else None

    def typed(self, character: str) -> None:
        line = self.query_one(TweetInput)
        self.screen.set_focus(line)
        line.replace(character, *line.selection)

    def act(self) -> None:
        self.screen.set_focus(self.query_one(TweetInput))

    @on(TweetInput.AtEnd)
    async def _go_on(self) -> None:
        await self.screen.run_action("go(1)")

    @on(Input.Changed)
    def run_is_ready(self) -> None:
        text = self.query_one(Input).value
        if not text and self._traced is not None:  # a model has nothing to trace
            self._traced = replace(self._traced, text="", token_ids=self._traced.token_ids[:1])
            self.redraw()
        elif text and self.run.is_ready:
            self.run.send(TraceText(text=text, request=_CHARS_REQUEST))

    def handle(self, event: Event) -> None:
        if isinstance(event, TextTraced) and event.request == _CHARS_REQUEST and self.query_one(Input).value:
            self._traced = event
            self.redraw()

    def picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        traced = self._traced
        if traced is None:
            return ()
        return chars_picture(traced.text, traced.token_ids[1:], traced.vocab_size, width, height, glyphs)


# Stop 2 ---------------------------------------------------------------------------------------------------------------

_NUM_PARTS = 4
"""Stages of a batch: ids, embedding, GRU, projection."""


class ShapesView(StopView):
    """A batch goes through the model, part by part: the shapes of the run's own batch."""

    def __init__(self, stop: Stop, run: LessonRun) -> None:
        super().__init__(stop, run)
        self._batch: BatchShown | None = None
        self._num_seen = 0

    @property
    def is_done(self) -> bool:
        """Whether the batch went through all parts."""
        return self._num_seen == _NUM_PARTS

    def run_is_ready(self) -> None:
        self.run.send(ShowBatch())

    def handle(self, event: Event) -> None:
        if isinstance(event, BatchShown):
            self._batch = event
            self.redraw()

    def act(self) -> None:
        """Show the next part; after the last, start again."""
        if self._batch is not None:
            self._num_seen = self._num_seen % _NUM_PARTS + 1
            self.redraw()

    def picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        started, batch = self.run.view.started, self._batch
        if started is None or batch is None:
            return ()
        sizes = Sizes(
            model=started.model,
            vocab_size=started.vocab_size,
            num_tweets=batch.num_tweets,
            num_columns=batch.num_columns,
        )
        return shapes_picture(sizes, self._num_seen, width, height, glyphs)


# Stops 3 and 8 --------------------------------------------------------------------------------------------------------

_MIN_STEPPED = 12
_MAX_TRACE_DIFFERENCE = 1e-5
"""Largest difference, in nats, of the losses one character at a time and of the whole tweet at once."""
_DIGITS = 7
"""The difference is rounded to so many digits, one more than the losses have, against its rounding error."""
_VIEWS: dict[type[InsightEvent], ViewName] = {
    ReachMeasured: "reach",
    UnitsScored: "units",
    EmbeddingsMapped: "map",
}
"""The views of the last stop, by their answers."""
_HELD_ENDS = {-1.0, 1.0}


class XrayView(StopView):
    """The X-ray of a tweet of the first batch."""

    TAKES_ARROWS = True
    FIRST_VIEW: ClassVar[ViewName]

    def compose(self) -> ComposeResult:
        yield XrayPanel(view=self.FIRST_VIEW)

    @property
    def first_cursor(self) -> int:
        """The character of the tweet to begin with."""
        return 0

    @property
    def panel(self) -> XrayPanel:
        return self.query_one(XrayPanel)

    @property
    def keys_target(self) -> Widget:
        return self.panel

    @property
    def bar_keys(self) -> tuple[Key, ...]:
        """The keys of the view that the panel shows; the arrows move the cursor without a place in the bar."""
        keys = xray_bar_keys(self.panel.view_name)
        return tuple(key for key in keys if key.place == "xray" and key.keys != "enter")

    def run_is_ready(self) -> None:
        """Request a batch for its tweet, or again all that was not answered."""
        if self.panel.text:
            self.panel.ask_again()
        else:
            self.run.send(ShowBatch())

    def tick(self) -> None:
        if self.panel.text and self.run.is_ready:
            self.panel.tick(self.run.view.step)

    def handle(self, event: Event) -> None:
        if isinstance(event, BatchShown) and not self.panel.text:
            self.panel.open(tweet_to_look_at([row.text for row in event.rows]))
            self.panel.cursor = self.first_cursor
            self.panel.ask_again()
        elif isinstance(event, InsightEvent):
            self.panel.show(event)
        elif isinstance(event, CommandRefused):
            self.panel.show_refusal(event.command, event.detail)

    @on(XrayPanel.Asked)
    def _send(self, message: XrayPanel.Asked) -> None:
        message.stop()
        if self.panel.text and self.panel.expects(message.command):
            self.run.send(message.command)


class ForcingView(XrayView):
    """Stop 3: one character at a time, and all at once."""

    FIRST_VIEW = "step"

    def __init__(self, stop: Stop, run: LessonRun) -> None:
        super().__init__(stop, run)
        self._places: set[int] = set()
        """Places of the tweet at which the cursor was."""
        self._traced: TextTraced | None = None
        self._has_seen_own_draw = False

    def on_mount(self) -> None:
        self.watch(self.panel, "cursor", self._note_place)

    def _note_place(self, place: int) -> None:
        self._places.add(place)

    @property
    def is_done(self) -> bool:
        """Whether a dozen places and the end were seen, both ways agree, and the model has read its own draws."""
        if self._traced is None:
            return False
        num_places = len(self._traced.text) + 1
        difference = round(abs(self._traced.stepwise_loss - self._traced.sequence_loss), _DIGITS)
        has_stepped = num_places - 1 in self._places and len(self._places) >= min(_MIN_STEPPED, num_places)
        return has_stepped and difference <= _MAX_TRACE_DIFFERENCE and self._has_seen_own_draw

    def handle(self, event: Event) -> None:
        super().handle(event)
        if isinstance(event, TextTraced) and event.text == self.panel.text:
            self._traced = event
            self._has_seen_own_draw |= event.own is not None


class LearnedView(XrayView):
    """Stop 8: the views reach, units and map."""

    FIRST_VIEW = "reach"

    def __init__(self, stop: Stop, run: LessonRun) -> None:
        super().__init__(stop, run)
        self._seen: set[ViewName] = set()
        self._held: set[float] = set()
        """Values at which a unit was held."""

    @property
    def is_done(self) -> bool:
        """Whether all views were shown, and a unit was held at both ends."""
        return self._seen >= set(_VIEWS.values()) and self._held >= _HELD_ENDS

    def wants_training(self) -> bool:
        """Train up to the wanted step, but not beside the views of units, whose answers would take long."""
        return super().wants_training() and self.panel.view_name != "units"

    @property
    def first_cursor(self) -> int:
        """The middle: the first characters have little before them to reach to."""
        return len(self.panel.text) // 2

    def handle(self, event: Event) -> None:
        """Note which views were shown, and at which values a unit was held."""
        super().handle(event)
        if isinstance(event, InsightEvent) and type(event) in _VIEWS:
            self._seen.add(_VIEWS[type(event)])
        elif isinstance(event, UnitHeld) and event.value is not None:
            self._held.add(event.value)
