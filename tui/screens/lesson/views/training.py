"""Stop 7: from random weights on, the loss among models that use less of the tweet."""

from __future__ import annotations

import math

from textual.app import ComposeResult

from engine.protocol.commands import MeasureBaselines
from engine.protocol.events import BaselinesMeasured, EvalFinished, Event
from tui.lesson.pictures.loss_scale import Place, meaning_of, scale_picture, sentence_on
from tui.screens.lesson.live_picture import LivePicture
from tui.screens.lesson.views.base import StopView
from tui.xray.glyphs import Glyphs
from tui.xray.spans import Picture

_REQUEST = 1_000_007
_BIGRAM = "2-gram"
_TRAINED_STEPS = 5000
"""Where training stops by itself, so that a lesson left open rests."""


class TrainingView(StopView):
    """The scale of losses."""

    def compose(self) -> ComposeResult:
        """Lay out the picture."""
        yield LivePicture(self._picture)

    def on_mount(self) -> None:
        """Start without baselines."""
        self._baselines: tuple[tuple[str, float], ...] = ()
        self._is_started = False

    def run_is_ready(self) -> None:
        """Ask for the baselines, once: they don't depend on the model."""
        if not self._baselines:
            self.lesson.run.send(MeasureBaselines(request=_REQUEST))

    def closed(self) -> None:
        """Stop training."""
        self._is_started = False

    def wants_training(self) -> bool:
        """Train from enter on."""
        return self._is_started and self.lesson.run.view.step < _TRAINED_STEPS

    def act(self) -> None:
        """Start again from random weights."""
        self._is_started = True
        self.lesson.run.show_main(is_new=True)
        self.lesson.record(has_restarted=True, val_bits=math.inf)

    def handle(self, event: Event) -> None:
        """Record the baselines and the validation losses since the restart."""
        if isinstance(event, BaselinesMeasured) and event.request == _REQUEST:
            self._baselines = tuple(zip(event.names, event.bits_per_char, strict=True))
            self.lesson.record(bigram_bits=dict(self._baselines).get(_BIGRAM, 0.0))
        elif isinstance(event, EvalFinished) and self._is_started:
            self.lesson.record(val_bits=event.bits_per_char)

    def tick(self) -> None:
        """Show where the losses are."""
        self.query_one(LivePicture).redraw()

    def _picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        view = self.lesson.run.view
        places = [Place(name=name, bits=bits, meaning=meaning_of(name)) for name, bits in self._baselines]
        if view.smoothed_bits is not None:
            name = f"{glyphs.mark} training tweets"
            places.append(Place(name=name, bits=view.smoothed_bits, kind="value"))
        validation = view.last_val.bits_per_char if view.last_val is not None else None
        if validation is not None:
            places.append(Place(name=f"{glyphs.mark} validation", bits=validation, kind="good"))
        said = f"Step {view.step:,}. {sentence_on(validation, self._baselines)}"
        return scale_picture(places, said, width, height, glyphs)
