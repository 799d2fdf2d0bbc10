"""The stops that train from random weights: 4 on a single tweet until it is known by heart, 7 on all of them."""

from __future__ import annotations

import math
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.model.vocab import SPECIALS
from engine.protocol.commands import ChangeSettings
from engine.protocol.events import CommandRefused, EvalFinished, Event, StepsFinished, TweetSampled
from engine.protocol.insight import BatchShown, MeasureBaselines, ShowBatch, TextTraced, TraceText
from tui.lesson.pictures import Place, note_on_units, place_of, scale_picture, sentence_on
from tui.lesson.run import EVAL_EVERY, OVERFIT, LessonRun
from tui.lesson.stops import Stop
from tui.run.marks import Baseline, has_all
from tui.screens.lesson.stop_view import StopView
from tui.settings.key_table import Key
from tui.settings.keys import bindings_of
from tui.text.cells import safe_chars
from tui.text.numbers import format_loss
from tui.widgets.plot.plot import LossPlot
from tui.widgets.xray.picture_view import LivePicture
from tui.xray import gates
from tui.xray.drawing import Glyphs, Line, Picture, Span, fitted, wrapped

# Stop 4 ---------------------------------------------------------------------------------------------------------------

_BY_HEART_LOSS = 0.07 * math.log(2)
"""0.07 bits per character, in nats."""
_BEFORE, _AFTER, _OTHER = 1_000_040, 1_000_041, 1_000_042
"""The requests of the traces: of the tweet before and after training, and of another tweet."""
_OTHER_TWEET = "made a silly game, love it"
"""It has only characters of the tweet that is learned."""
_DONE_BEFORE = "The run on one tweet was not kept: enter starts another."
_BOTH_HEIGHT = 26
"""From this height on, the gates before and after are compared one above the other, else one in place of the other."""
_PREVIOUS, _NEXT = "Show the gates of the previous character.", "Show the gates of the next character."
_CURSOR_KEYS = (
    Key("lesson", "left", "move(-1)", "Previous character", "character", (), _PREVIOUS),
    Key("lesson", "right", "move(1)", "Next character", "character", (), _NEXT, rank=33),
)
"""Keys while the view has the focus."""


class OverfitView(StopView):
    """Loss, the tweet and what is written so far; below, the gates along the tweet, before training and after."""

    ACT_TRAINS = True
    TAKES_ARROWS = True
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(_CURSOR_KEYS)

    def __init__(self, stop: Stop, run: LessonRun) -> None:
        super().__init__(stop, run)
        self._has_compared = False
        self._forget()

    def _forget(self) -> None:
        self._target = self._written = ""
        self._step = 0
        self._loss = math.inf
        self._traces: dict[int, TextTraced] = {}
        self._is_started = self._is_asked = False
        self._is_comparing = False
        self._cursor = 0

    @property
    def is_done(self) -> bool:
        """Whether the gates before training were compared with those after it, for which the tweet is by heart."""
        return self._has_compared

    @property
    def bar_keys(self) -> tuple[Key, ...]:
        return _CURSOR_KEYS

    @property
    def compares(self) -> str:
        return "before/after" if _AFTER in self._traces else ""

    def action_move(self, step: int) -> None:
        """Move the cursor by characters."""
        self._cursor = min(max(self._cursor + step, 0), len(self._target))
        self.redraw()

    def opened(self) -> None:
        """Do not change the run: enter starts one."""

    def closed(self) -> None:
        """Forget a run that is not finished: it is not continued."""
        if not self._is_by_heart:
            self._forget()

    def wants_training(self) -> bool:
        """Train from the first trace on until the tweet is known by heart."""
        return self._is_started and _BEFORE in self._traces and not self._is_by_heart

    @property
    def _is_by_heart(self) -> bool:
        return self._loss < _BY_HEART_LOSS and self._written == self._target

    def act(self) -> None:
        self._forget()
        self._is_started = True
        self.post_message(self.KeysChanged())
        self.run.show_overfit()
        self.redraw()

    def compare(self) -> None:
        """Show the gates before training as well, or those after it only."""
        if self.compares:
            self._is_comparing = not self._is_comparing
            self._has_compared = True
            self.redraw()

    def run_is_ready(self) -> None:
        if self._is_started and not self._target:
            self.run.send(ShowBatch())

    def handle(self, event: Event) -> None:
        """Trace the tweet before the first step, and once more at the end; follow loss and tweets in between."""
        if self.run.name != OVERFIT or not self._is_started:
            return
        self._step = self.run.view.step
        match event:
            case BatchShown(rows=rows) if not self._target and rows:
                self._target = rows[0].text
                self._cursor = len(self._target) // 2
                self.run.send(TraceText(text=self._target, request=_BEFORE))
            case TextTraced(request=request) if request in {_BEFORE, _AFTER, _OTHER}:
                self._traces[request] = event
                self.post_message(self.KeysChanged())
            case StepsFinished(train_losses=losses):
                self._loss = losses[-1]
            case TweetSampled(text=text):
                self._written = text
        if self._is_by_heart and not self._is_asked:
            self._is_asked = True
            self.run.send(TraceText(text=self._target, request=_AFTER))
            self.run.send(TraceText(text=_OTHER_TWEET, request=_OTHER))
        self.redraw()

    def picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        """Return how far the run is, and the gates."""
        if not self._is_started:
            note = _DONE_BEFORE if self.was_done else "Nothing is trained yet: enter starts a run on one tweet."
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
        lines: list[Line] = []
        for request in shown:
            trace = self._traces.get(request)
            if trace is not None:
                name = "before training" if request == _BEFORE else "after training"
                lines.append((Span(f"gates {name}", "title"),))
                room = height // len(shown) - 1
                lines += gates.render(trace, self._cursor, width=width, height=room, glyphs=glyphs)
        return tuple(lines)


# Stop 7 ---------------------------------------------------------------------------------------------------------------

_LEVELS_REQUEST = 1_000_007
_BIGRAM = "bigram"
_SLOW_STEPS, _SLOW_STEPS_PER_SECOND = 40, 8.0
"""The first steps from random weights are slow enough to watch."""
_CONTINUED = "Trained before; its earlier losses are not shown: enter starts again from random weights."


class TrainingView(StopView):
    """From random weights on, the loss among models that use less of the tweet, above the plot."""

    ACT_TRAINS = True

    def __init__(self, stop: Stop, run: LessonRun) -> None:
        super().__init__(stop, run)
        self._is_refused = False
        """Whether the baselines can't be measured."""
        self._is_started = self._is_slow = False
        self._first_loss: float | None = None
        self._val_bits = math.inf
        """The latest validation loss since the start from random weights, bits per character."""

    def compose(self) -> ComposeResult:
        yield LivePicture(self.picture)
        yield LossPlot()

    @property
    def is_done(self) -> bool:
        """Whether the model that enter has started passed the bigram on validation."""
        return any(each.name == _BIGRAM and self._val_bits < each.bits_per_char for each in self._baselines)

    @property
    def _baselines(self) -> tuple[Baseline, ...]:
        return self.run.main_view.baselines

    def run_is_ready(self) -> None:
        """Ask for the baselines; for a new model of the same tweets, they are in the cache."""
        if not has_all(self._baselines):
            self.run.send(MeasureBaselines(request=_LEVELS_REQUEST))
        if self._is_slow:
            self.run.send(ChangeSettings(settings={"steps_per_second": _SLOW_STEPS_PER_SECOND}))

    def closed(self) -> None:
        self._is_started = False
        self._lift_speed_limit()

    @property
    def has_trained_enough(self) -> bool:
        """Whether the model that enter has started has the steps of this stop."""
        return self._is_started and super().has_trained_enough

    def wants_training(self) -> bool:
        """Train from enter on, once the baselines are measured: that takes long beside a training."""
        is_measured = has_all(self._baselines) or self._is_refused
        return self._is_started and is_measured and super().wants_training()

    def act(self) -> None:
        """Start again from random weights."""
        self._is_started = self._is_slow = True
        self._first_loss = None
        self._val_bits = math.inf
        self.run.show_main(is_new=True)

    def handle(self, event: Event) -> None:
        if isinstance(event, CommandRefused) and event.command == MeasureBaselines.__name__:
            self._is_refused = True
        elif isinstance(event, StepsFinished) and event.first_step == 1:
            self._first_loss = event.train_losses[0]
        elif isinstance(event, EvalFinished) and self._is_started:
            self._val_bits = event.bits_per_char

    def tick(self) -> None:
        """Show where the losses are; after the first steps, train at full speed."""
        if self.run.view.step >= _SLOW_STEPS and self.run.is_ready:
            self._lift_speed_limit()
        self.query_one(LossPlot).show(self.run.main_view)
        self.redraw()

    def _lift_speed_limit(self) -> None:
        if self._is_slow:
            self._is_slow = False
            self.run.send(ChangeSettings(settings={"steps_per_second": 0.0}))

    def picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        view = self.run.main_view
        places = [place_of(baseline) for baseline in view.baselines]
        if view.smoothed_bits is not None:
            places.append(Place(name=f"{glyphs.mark} training tweets", bits=view.smoothed_bits, kind="value"))
        if self._first_loss is not None:
            bits = self._first_loss / math.log(2)
            places.append(Place(name=f"{glyphs.mark} training, step 1", bits=bits, kind="muted"))
        validation = view.last_val.bits_per_char if view.last_val is not None else None
        if validation is not None:
            places.append(Place(name=f"{glyphs.mark} validation", bits=validation, kind="good"))
        is_continued = validation is None and view.step > EVAL_EVERY
        place = _CONTINUED if is_continued and view.baselines else sentence_on(validation, view.baselines)
        sentence = f"Step {view.step:,}. {place}"
        return scale_picture(places, sentence, width, height, glyphs, note_on_units(view.baselines))
