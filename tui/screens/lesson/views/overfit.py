"""Stop 4: a run on a single tweet, until it is written by heart, and its gates before and after."""

from __future__ import annotations

import math
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.model.vocab import SPECIALS
from engine.protocol.events import Event, StepsFinished, TweetSampled
from engine.protocol.insight import BatchShown, ShowBatch, TextTraced, TraceText
from tui.lesson.checks import OVERFIT_LOSS
from tui.lesson.runs import OVERFIT
from tui.screens.lesson.live_picture import LivePicture
from tui.screens.lesson.views.base import StopView
from tui.settings.keys import Key, bindings_of
from tui.text.cells import safe_chars
from tui.text.numbers import format_loss
from tui.xray import gates
from tui.xray.drawing import Glyphs, Picture, Span, fitted, wrapped

_BEFORE, _AFTER, _OTHER = 1_000_040, 1_000_041, 1_000_042
"""The requests of the traces: of the tweet before and after training, and of another tweet."""
_OTHER_TWEET = "made a silly game, love it"
"""Of characters of the tweet only."""
_DONE_BEFORE = "The run on one tweet was not kept: enter starts another."
_BOTH_HEIGHT = 26
"""From this height on, the gates before and after are compared one above the other, else one in place of the other."""
_CURSOR_KEYS = (
    Key(
        "lesson", "left", "move(-1)", "Previous character", "character", (), "Show the gates of the previous character."
    ),
    Key(
        "lesson",
        "right",
        "move(1)",
        "Next character",
        "character",
        (),
        "Show the gates of the next character.",
        rank=33,
    ),
)
"""While the view has the focus."""


class OverfitView(StopView):
    """Loss, the tweet and what is written so far; below, the gates along the tweet."""

    ACT_TRAINS = True
    TAKES_ARROWS = True
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(_CURSOR_KEYS)

    def compose(self) -> ComposeResult:
        """Lay out the picture."""
        yield LivePicture(self._picture)

    def on_mount(self) -> None:
        """Start without a run."""
        self._forget()

    def _forget(self) -> None:
        self._target = self._written = ""
        self._step = 0
        self._loss = self._lowest = math.inf
        self._traces: dict[int, TextTraced] = {}
        self._is_started = self._is_asked = False
        self._is_comparing = False
        self._cursor = 0

    def bar_keys(self) -> tuple[Key, ...]:
        """Return the keys that move the cursor."""
        return _CURSOR_KEYS

    @property
    def compares(self) -> str:
        """What v compares, once there is something to compare."""
        return "before/after" if _AFTER in self._traces else ""

    def action_move(self, step: int) -> None:
        """Move the cursor by characters."""
        self._cursor = min(max(self._cursor + step, 0), len(self._target))
        self.query_one(LivePicture).redraw()

    def opened(self) -> None:
        """Keep the run that is there: enter starts another."""

    def closed(self) -> None:
        """Forget a run that is not finished: it is not continued."""
        if not self._is_by_heart:
            self._forget()

    def wants_training(self) -> bool:
        """Train from the first trace on until the tweet is known by heart."""
        return self._is_started and _BEFORE in self._traces and not self._is_by_heart

    @property
    def _is_by_heart(self) -> bool:
        return self._loss < OVERFIT_LOSS and self._written == self._target

    def act(self) -> None:
        """Start a run."""
        self._forget()
        self._is_started = True
        self.post_message(self.KeysChanged())
        self.lesson.run.show_overfit()
        self.query_one(LivePicture).redraw()

    def compare(self) -> None:
        """Show the gates before training as well, or those after it only."""
        if self.compares:
            self._is_comparing = not self._is_comparing
            self.query_one(LivePicture).redraw()
            self.lesson.record(has_compared_gates=True)

    def run_is_ready(self) -> None:
        """Ask for the tweet of the run."""
        if self._is_started and not self._target:
            self.lesson.run.send(ShowBatch())

    def handle(self, event: Event) -> None:
        """Trace the tweet before the first step, and once more at the end; follow loss and tweets in between."""
        if self.lesson.run.name != OVERFIT or not self._is_started:
            return
        self._step = self.lesson.run.view.step
        match event:
            case BatchShown(rows=rows) if not self._target and rows:
                self._target = rows[0].text
                self._cursor = len(self._target) // 2
                self.lesson.run.send(TraceText(text=self._target, request=_BEFORE))
            case TextTraced(request=request) if request in {_BEFORE, _AFTER, _OTHER}:
                self._traces[request] = event
                self.post_message(self.KeysChanged())
            case StepsFinished(train_losses=losses):
                self._loss = losses[-1]
                self._lowest = min(self._lowest, *losses)
            case TweetSampled(text=text):
                self._written = text
        if self._is_by_heart and not self._is_asked:
            self._is_asked = True
            self.lesson.run.send(TraceText(text=self._target, request=_AFTER))
            self.lesson.run.send(TraceText(text=_OTHER_TWEET, request=_OTHER))
        self.lesson.record(overfit_loss=self._lowest, overfit_target=self._target, overfit_written=self._written)
        self.query_one(LivePicture).redraw()

    def _picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        if not self._is_started:
            note = _DONE_BEFORE if self.lesson.is_done else "Nothing is trained yet: enter starts a run on one tweet."
            return wrapped(note, width, "muted")
        if not self._target:
            return wrapped("The run starts.", width, "muted")
        loss = "" if self._loss == math.inf else f"   loss {format_loss(self._loss, 'bits')} bits"
        head = (
            *wrapped(f"step {self._step}{loss}", width, "value"),
            *self._first_loss(width),
            *wrapped(f"tweet:   {safe_chars(self._target)}", width, "muted"),
            *wrapped(f"written: {safe_chars(self._written)}", width, "good" if self._is_by_heart else "text"),
        )
        other = self._traces.get(_OTHER)
        if other is not None:
            compared = f"unseen:  {_OTHER_TWEET}   loss {format_loss(other.sequence_loss, 'bits')} bits"
            head = (*head, *wrapped(compared, width, "bad"))
        return fitted((*head, *self._gates(width, height - len(head), glyphs)), width, height, glyphs)

    def _first_loss(self, width: int) -> Picture:
        """Return the loss of the random weights beside that of equal probabilities, and what V counts here."""
        before = self._traces.get(_BEFORE)
        if before is None:
            return ()
        loss, size, num_special = before.sequence_loss, before.vocab_size, len(SPECIALS)
        uniform = math.log(size)
        sentence = (
            f"step 0   loss {format_loss(loss, 'bits')} bits, {format_loss(loss, 'nats')} nats. Each of V characters "
            f"equally likely: log2 V = {format_loss(uniform, 'bits')} bits, ln V = {format_loss(uniform, 'nats')} "
            f"nats. V = {size}: the {size - num_special} characters of this tweet, and {num_special} special ones."
        )
        return wrapped(sentence, width, "muted")

    def _gates(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        """Return the gates after training, or before it while there are no others; to compare, both if they fit."""
        shown = [_AFTER if _AFTER in self._traces else _BEFORE]
        if self._is_comparing:
            shown = [_BEFORE, _AFTER] if height >= _BOTH_HEIGHT else [_BEFORE]
        lines: list[tuple[Span, ...]] = []
        for request in shown:
            trace = self._traces.get(request)
            if trace is not None:
                name = "before training" if request == _BEFORE else "after training"
                lines.append((Span(f"gates {name}", "title"),))
                room = height // len(shown) - 1
                lines += gates.render(trace, self._cursor, width=width, height=room, glyphs=glyphs)
        return tuple(lines)
