"""Stop 6: a batch as a grid, and training with 1 and with 32 tweets per step, measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.protocol.commands import ChangeSettings
from engine.protocol.events import Event, SettingsChanged, StepsFinished
from engine.protocol.insight import BatchShown, ShowBatch
from tui.lesson.checks import COMPARED_BATCHES
from tui.lesson.pictures.batch_picture import Measured, comparison_picture, noise_of
from tui.screens.lesson.live_picture import LivePicture
from tui.screens.lesson.views.base import StopView
from tui.settings.keys import Key, bindings_of
from tui.xray.batch import batch_picture, last_first_column
from tui.xray.drawing import Glyphs, Picture, fitted, wrapped

_USUAL = max(COMPARED_BATCHES)
_NUM_LOSSES = 200
"""The latest steps, over which the noise is measured."""
_COLUMNS_PER_KEY = 8
_SCROLL_KEYS = (
    Key("lesson", "left", "columns(-1)", "Scroll left", "scroll", (), "Scroll the batch left."),
    Key("lesson", "right", "columns(1)", "Scroll right", "scroll", (), "Scroll the batch right."),
)
"""While the view has the focus."""
_MEASURED_STEPS = 300
"""After so many steps at a batch size, training stops."""


@dataclass
class _Measuring:
    """The steps at one batch size."""

    num_steps: int = 0
    losses: list[float] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)

    def add(self, event: StepsFinished) -> None:
        """Add a report."""
        self.num_steps += len(event.train_losses)
        self.losses = [*self.losses, *event.train_losses][-_NUM_LOSSES:]
        self.speeds.append(event.chars_per_second)

    @property
    def result(self) -> Measured:
        """Median speed and noise."""
        speeds = sorted(self.speeds)
        return Measured(
            num_steps=self.num_steps, chars_per_second=speeds[len(speeds) // 2], noise=noise_of(self.losses)
        )


class BatchesView(StopView):
    """The comparison above, the grid below."""

    ACT_TRAINS = True
    TAKES_ARROWS = True
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(_SCROLL_KEYS)

    def compose(self) -> ComposeResult:
        """Lay out the picture."""
        yield LivePicture(self._picture)

    def on_mount(self) -> None:
        """Start without a batch and without a measurement."""
        self._batches: dict[bool, BatchShown] = {}
        """The latest ones: the batch of a step, and, for True, one of shuffled tweets."""
        self._is_shuffled = False
        self._first_column = 0
        self._measuring: dict[int, _Measuring] = {}
        self._current: int | None = None
        """The batch size that is measured; None before the first key, and once it is measured."""

    def bar_keys(self) -> tuple[Key, ...]:
        """Return the keys that scroll."""
        return _SCROLL_KEYS

    @property
    def compares(self) -> str:
        """What v compares."""
        return "sorted/not"

    def action_columns(self, direction: int) -> None:
        """Scroll right (1) or left (-1) by some time steps."""
        self._first_column += direction * _COLUMNS_PER_KEY
        self.query_one(LivePicture).redraw()

    def run_is_ready(self) -> None:
        """Ask for the batch, and for one that is not sorted by length."""
        self.lesson.run.send(ShowBatch())
        self.lesson.run.send(ShowBatch(shuffled=True))

    def closed(self) -> None:
        """Set the usual batch size again."""
        if self._current not in {None, _USUAL}:
            self.lesson.run.send(ChangeSettings(settings={"batch_size": _USUAL}))
        self._current = None

    def wants_training(self) -> bool:
        """Train while measuring."""
        measuring = self._measuring.get(self._current or 0)
        is_measuring = self._current is not None and (measuring is None or measuring.num_steps < _MEASURED_STEPS)
        return is_measuring or super().wants_training()

    def act(self) -> None:
        """Measure with the other batch size, first with 1."""
        smallest, largest = min(COMPARED_BATCHES), max(COMPARED_BATCHES)
        self._current = largest if self._current == smallest else smallest
        self._measuring[self._current] = _Measuring()
        self.lesson.run.send(ChangeSettings(settings={"batch_size": self._current}))

    def compare(self) -> None:
        """Show a batch that is not sorted by length, or one that is."""
        self._is_shuffled = not self._is_shuffled
        self.lesson.run.send(ShowBatch(shuffled=self._is_shuffled))
        self.query_one(LivePicture).redraw()
        if self._is_shuffled:
            self.lesson.record(has_seen_unsorted=True)

    def handle(self, event: Event) -> None:
        """Measure, and show the batch."""
        training = self.lesson.run.view.training
        if isinstance(event, BatchShown):
            if event.num_tweets == 1:  # one tweet has no padding
                return
            self._batches[event.shuffled] = event
        elif isinstance(event, SettingsChanged):
            if isinstance(size := event.settings.get("batch_size"), int):
                self._measuring[size] = _Measuring()
        elif isinstance(event, StepsFinished):
            self.lesson.run.send(ShowBatch(shuffled=self._is_shuffled))
            if training is None or training.batch_size != self._current:
                return
            self._measuring[self._current].add(event)
            steps = tuple((size, each.num_steps) for size, each in self._measuring.items())
            self.lesson.record(measured_steps=steps)
        else:
            return
        self.query_one(LivePicture).redraw()

    def _picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        measured = [(size, each.result) for size, each in sorted(self._measuring.items()) if each.speeds]
        comparison = comparison_picture(measured, self._current or 0, width, height, glyphs)
        batch = self._batches.get(self._is_shuffled)
        if batch is None:
            return comparison
        head = (*comparison, *wrapped(_title(batch, is_one=self._current == min(COMPARED_BATCHES)), width, "title"))
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
