"""Stop 7: from random weights on, the loss among models that use less of the tweet."""

from __future__ import annotations

import math

from textual.app import ComposeResult

from engine.protocol.commands import ChangeSettings
from engine.protocol.events import CommandRefused, EvalFinished, Event, StepsFinished
from engine.protocol.insight import BaselinesMeasured, MeasureBaselines
from tui.lesson.pictures.loss_scale import Place, note_on_units, place_of, scale_picture, sentence_on
from tui.lesson.runs import EVAL_EVERY
from tui.run.marks import Baseline, baselines_from, has_all
from tui.screens.lesson.live_picture import LivePicture
from tui.screens.lesson.views.base import StopView
from tui.widgets.plot.plot import LossPlot
from tui.xray.drawing import Glyphs, Picture

_REQUEST = 1_000_007
_BIGRAM = "bigram"
_SLOW_STEPS, _SLOW_STEPS_PER_SECOND = 40, 8.0
"""The first steps from random weights are slow enough to watch."""
_CONTINUED = "Trained before; its earlier losses are not shown: enter starts again from random weights."


class TrainingView(StopView):
    """The scale of losses."""

    ACT_TRAINS = True

    def compose(self) -> ComposeResult:
        """Lay out the picture."""
        yield LivePicture(self._picture)
        yield LossPlot()

    def on_mount(self) -> None:
        """Start without baselines."""
        self._is_refused = False
        """Whether the baselines can't be measured."""
        self._is_started = self._is_slow = False
        self._first_loss: float | None = None

    def run_is_ready(self) -> None:
        """Ask for the baselines; for a new model of the same tweets, they are in the cache."""
        if not has_all(self._baselines):
            self.lesson.run.send(MeasureBaselines(request=_REQUEST))
        if self._is_slow:
            self.lesson.run.send(ChangeSettings(settings={"steps_per_second": _SLOW_STEPS_PER_SECOND}))

    @property
    def _baselines(self) -> tuple[Baseline, ...]:
        return self.lesson.run.main_view.baselines

    def closed(self) -> None:
        """Stop training."""
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
        self.lesson.run.show_main(is_new=True)
        self.lesson.record(has_restarted=True, val_bits=math.inf)

    def handle(self, event: Event) -> None:
        """Record the bigram loss, and the validation losses since the restart."""
        if isinstance(event, BaselinesMeasured):
            baselines = baselines_from(event.names, event.bits_per_char)
            self.lesson.record(bigram_bits=next(each.bits_per_char for each in baselines if each.name == _BIGRAM))
        elif isinstance(event, CommandRefused) and event.command == MeasureBaselines.__name__:
            self._is_refused = True
        elif isinstance(event, StepsFinished) and event.first_step == 1:
            self._first_loss = event.train_losses[0]
        elif isinstance(event, EvalFinished) and self._is_started:
            self.lesson.record(val_bits=event.bits_per_char)

    def tick(self) -> None:
        """Show where the losses are; after the first steps, train at full speed."""
        if self.lesson.run.view.step >= _SLOW_STEPS and self.lesson.run.is_ready:
            self._lift_speed_limit()
        self.query_one(LossPlot).show(self.lesson.run.main_view)
        self.query_one(LivePicture).redraw()

    def _lift_speed_limit(self) -> None:
        if self._is_slow:
            self._is_slow = False
            self.lesson.run.send(ChangeSettings(settings={"steps_per_second": 0.0}))

    def _picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        view = self.lesson.run.main_view
        places = [place_of(baseline) for baseline in view.baselines]
        if view.smoothed_bits is not None:
            name = f"{glyphs.mark} training tweets"
            places.append(Place(name=name, bits=view.smoothed_bits, kind="value"))
        if self._first_loss is not None:
            name = f"{glyphs.mark} training, step 1"
            places.append(Place(name=name, bits=self._first_loss / math.log(2), kind="muted"))
        validation = view.last_val.bits_per_char if view.last_val is not None else None
        if validation is not None:
            places.append(Place(name=f"{glyphs.mark} validation", bits=validation, kind="good"))
        is_continued = validation is None and view.step > EVAL_EVERY
        place = _CONTINUED if is_continued and view.baselines else sentence_on(validation, view.baselines)
        sentence = f"Step {view.step:,}. {place}"
        return scale_picture(places, sentence, width, height, glyphs, note_on_units(view.baselines))
