"""The stops that compare: 5 temperatures, 6 batch sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from textual.binding import BindingType

from engine.protocol.commands import ChangeSettings, SampleLadder
from engine.protocol.events import Event, LadderSampled, SettingsChanged, StepsFinished
from engine.protocol.insight import BatchShown, ShowBatch, TextTraced, TraceText
from tui.lesson.pictures import Measured, bars_picture, comparison_picture, ladder_picture, noise_of
from tui.lesson.run import LessonRun
from tui.lesson.stops import Stop
from tui.screens.lesson.stop_view import StopView
from tui.settings.key_table import Key
from tui.settings.keys import bindings_of
from tui.xray.batch import batch_picture, last_first_column
from tui.xray.drawing import Glyphs, Picture, fitted, wrapped

# Stop 5 ---------------------------------------------------------------------------------------------------------------

_RUNGS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
_TEMPERATURES = (0.1, 0.2, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)
"""The temperatures of the bars."""
_BEFORE = "I am so "
_BARS_REQUEST = 1_000_005
_BOTH_HEIGHT = 17
"""From this height on, bars and tweets are shown together; below, what was asked for last."""


class SamplingView(StopView):
    """The distribution of one character at any temperature, and the same seed at several of them."""

    def __init__(self, stop: Stop, run: LessonRun) -> None:
        super().__init__(stop, run)
        self._ladder: LadderSampled | None = None
        self._traced: TextTraced | None = None
        """The answer to the last question; None while it is awaited."""
        self._shown: TextTraced | None = None
        self._place = _TEMPERATURES.index(1.0)
        self._seed = 0
        self._shows_bars = True
        self._places: set[int] = set()
        """Places of the bars' temperatures that were chosen."""

    @property
    def is_done(self) -> bool:
        """Whether tweets were sampled at all temperatures, and the bars were at both ends."""
        return self._ladder is not None and self._places >= {0, len(_TEMPERATURES) - 1}

    def run_is_ready(self) -> None:
        self.run.send(TraceText(text=_BEFORE, request=_BARS_REQUEST))

    def tick(self) -> None:
        """Ask again while the model learns, for the tweets once it has."""
        if not self.run.is_ready or self._traced is None or self._traced.weights_step == self.run.view.step:
            return
        self._traced = None
        self.run_is_ready()
        if self._ladder is not None and self.run.view.phase == "paused":
            self._sample()

    def handle(self, event: Event) -> None:
        if isinstance(event, LadderSampled):
            self._ladder = event
            self._shows_bars = False
            self.redraw()
        elif isinstance(event, TextTraced) and event.request == _BARS_REQUEST:
            self._traced = self._shown = event
            self.redraw()

    def act(self) -> None:
        """Sample with the next seed."""
        self._seed += 1
        self._sample()

    def _sample(self) -> None:
        self.run.send(SampleLadder(seed=self._seed, temperatures=_RUNGS))

    def adjust(self, step: int) -> None:
        self._place = min(max(self._place + step, 0), len(_TEMPERATURES) - 1)
        self._places.add(self._place)
        self._shows_bars = True
        self.redraw()

    def picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        """Return bars above, tweets below."""
        bars: Picture = ()
        if self._shown is not None:
            bars = bars_picture(self._shown, _TEMPERATURES[self._place], width, height, glyphs)
        rungs = self._ladder.rungs if self._ladder is not None else ()
        step, enough = self.run.view.step, self.stop.train_to
        if step < enough:
            bars = (*wrapped(f"First the model learns: step {step:,} of {enough:,}.", width, "problem"), *bars)
        if height < _BOTH_HEIGHT:
            return bars if self._shows_bars or not rungs else ladder_picture(rungs, width, height, glyphs)
        rest = ladder_picture(rungs, width, height - len(bars) - 1, glyphs)
        return fitted((*bars, (), *rest), width, height, glyphs)


# Stop 6 ---------------------------------------------------------------------------------------------------------------

_SMALL, _USUAL = 1, 32
"""The batch sizes that are compared."""
_MIN_MEASURED_STEPS = 30
_MEASURED_STEPS = 300
"""After so many steps at a batch size, training stops."""
_NUM_LOSSES = 200
"""The latest steps, over which the noise is measured."""
_COLUMNS_PER_KEY = 8
_SCROLL_KEYS = (
    Key("lesson", "left", "columns(-1)", "Scroll left", "scroll", (), "Scroll the batch left."),
    Key("lesson", "right", "columns(1)", "Scroll right", "scroll", (), "Scroll the batch right."),
)
"""Keys while the view has the focus."""


@dataclass
class _Measuring:
    """The steps at one batch size."""

    num_steps: int = 0
    losses: list[float] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)

    def add(self, event: StepsFinished) -> None:
        self.num_steps += len(event.train_losses)
        self.losses = [*self.losses, *event.train_losses][-_NUM_LOSSES:]
        self.speeds.append(event.chars_per_second)

    @property
    def result(self) -> Measured:
        """Median speed and noise."""
        median = sorted(self.speeds)[len(self.speeds) // 2]
        return Measured(num_steps=self.num_steps, chars_per_second=median, noise=noise_of(self.losses))


class BatchesView(StopView):
    """Training with 1 and with 32 tweets per step, measured, above a batch as a grid."""

    ACT_TRAINS = True
    TAKES_ARROWS = True
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(_SCROLL_KEYS)

    def __init__(self, stop: Stop, run: LessonRun) -> None:
        super().__init__(stop, run)
        self._batches: dict[bool, BatchShown] = {}
        """The latest ones: the batch of a step, and, for True, one of shuffled tweets."""
        self._is_shuffled = self._has_seen_unsorted = False
        self._first_column = 0
        self._measuring: dict[int, _Measuring] = {}
        self._current: int | None = None
        """The batch size that is measured; None before the first key, and after the stop was closed."""

    @property
    def is_done(self) -> bool:
        """Whether both batch sizes were measured for long enough, and a batch that is not sorted was shown."""
        steps = [self._measuring[size].num_steps for size in (_SMALL, _USUAL) if size in self._measuring]
        return len(steps) == 2 and min(steps) >= _MIN_MEASURED_STEPS and self._has_seen_unsorted

    @property
    def bar_keys(self) -> tuple[Key, ...]:
        return _SCROLL_KEYS

    @property
    def compares(self) -> str:
        return "sorted/not"

    def action_columns(self, direction: int) -> None:
        """Scroll right (1) or left (-1) by some time steps."""
        self._first_column += direction * _COLUMNS_PER_KEY
        self.redraw()

    def run_is_ready(self) -> None:
        """Ask for the batch, and for one that is not sorted by length."""
        self.run.send(ShowBatch())
        self.run.send(ShowBatch(shuffled=True))

    def closed(self) -> None:
        """Set the usual batch size again."""
        if self._current == _SMALL:
            self.run.send(ChangeSettings(settings={"batch_size": _USUAL}))
        self._current = None

    def wants_training(self) -> bool:
        measuring = self._measuring.get(self._current or 0)
        is_measuring = self._current is not None and (measuring is None or measuring.num_steps < _MEASURED_STEPS)
        return is_measuring or super().wants_training()

    def act(self) -> None:
        """Measure with the other batch size, first with 1."""
        self._current = _USUAL if self._current == _SMALL else _SMALL
        self._measuring[self._current] = _Measuring()
        self.run.send(ChangeSettings(settings={"batch_size": self._current}))

    def compare(self) -> None:
        """Show a batch that is not sorted by length, or one that is."""
        self._is_shuffled = not self._is_shuffled
        self._has_seen_unsorted |= self._is_shuffled
        self.run.send(ShowBatch(shuffled=self._is_shuffled))
        self.redraw()

    def handle(self, event: Event) -> None:
        match event:
            case BatchShown(num_tweets=num_tweets, shuffled=shuffled) if num_tweets > 1:  # one tweet has no padding
                self._batches[shuffled] = event
            case SettingsChanged(settings={"batch_size": int(size)}):
                self._measuring[size] = _Measuring()
            case StepsFinished():
                self.run.send(ShowBatch(shuffled=self._is_shuffled))
                training = self.run.view.training
                if training is None or training.batch_size != self._current:
                    return
                self._measuring[self._current].add(event)
            case _:
                return
        self.redraw()

    def picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        """Return the comparison above, the grid below."""
        measured = [(size, each.result) for size, each in sorted(self._measuring.items()) if each.speeds]
        comparison = comparison_picture(measured, self._current or 0, width, height, glyphs)
        batch = self._batches.get(self._is_shuffled)
        if batch is None:
            return comparison
        head = (*comparison, *wrapped(_title(batch, is_one=self._current == _SMALL), width, "title"))
        room = max(height - len(head), 0)
        last = last_first_column(batch, width)
        self._first_column = max(min(self._first_column, last), 0)
        grid = batch_picture(batch, width=width, height=room, glyphs=glyphs, first_column=self._first_column)
        return fitted((*head, *grid), width, height, glyphs)


def _title(batch: BatchShown, *, is_one: bool) -> str:
    order = "tweets in random order, not sorted by length" if batch.shuffled else "sorted by length"
    if is_one:
        return f"one tweet a step has no padding; here, a batch of {batch.num_tweets} from before, {order}:"
    return f"a batch of {batch.num_tweets}, {order}{'' if batch.shuffled else ', as trained'}:"
