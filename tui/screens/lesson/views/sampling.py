"""Stop 5: the same seed at several temperatures, and the distribution of one character at any of them."""

from __future__ import annotations

from textual.app import ComposeResult

from engine.protocol.commands import SampleLadder
from engine.protocol.events import Event, LadderSampled
from engine.protocol.insight import TextTraced, TraceText
from tui.lesson.pictures.temperature_picture import bars_picture, ladder_picture
from tui.screens.lesson.live_picture import LivePicture
from tui.screens.lesson.views.base import StopView
from tui.xray.drawing import Glyphs, Picture, fitted, wrapped

_RUNGS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
_STEPS = (0.1, 0.2, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)
"""The temperatures of the bars."""
_BEFORE = "I am so "
_REQUEST = 1_000_005
_BOTH_HEIGHT = 17
"""From this height on, bars and tweets are shown together; below, what was asked for last."""


class SamplingView(StopView):
    """Bars above, tweets below."""

    def compose(self) -> ComposeResult:
        """Lay out the picture."""
        yield LivePicture(self._picture)

    def on_mount(self) -> None:
        """Start with the model's own distribution."""
        self._ladder: LadderSampled | None = None
        self._traced: TextTraced | None = None
        """The answer to the last question; None while it is awaited."""
        self._shown: TextTraced | None = None
        self._place = _STEPS.index(1.0)
        self._seed = 0
        self._shows_bars = True

    def run_is_ready(self) -> None:
        """Ask for the distribution."""
        self.lesson.run.send(TraceText(text=_BEFORE, request=_REQUEST))

    def tick(self) -> None:
        """Ask again while the model learns, for the tweets once it has."""
        run = self.lesson.run
        if not run.is_ready or self._traced is None or self._traced.weights_step == run.view.step:
            return
        self._traced = None
        self.run_is_ready()
        if self._ladder is not None and run.view.phase == "paused":
            self._sample()

    def handle(self, event: Event) -> None:
        """Show the tweets, or the distribution."""
        if isinstance(event, LadderSampled):
            self._ladder = event
            self._shows_bars = False
            self.lesson.record(ladder=frozenset(rung.temperature for rung in event.rungs))
        elif isinstance(event, TextTraced) and event.request == _REQUEST:
            self._traced = self._shown = event
        else:
            return
        self.query_one(LivePicture).redraw()

    def act(self) -> None:
        """Sample with the next seed."""
        self._seed += 1
        self._sample()

    def _sample(self) -> None:
        self.lesson.run.send(SampleLadder(seed=self._seed, temperatures=_RUNGS))

    def adjust(self, step: int) -> None:
        """Move the temperature of the bars."""
        self._place = min(max(self._place + step, 0), len(_STEPS) - 1)
        self._shows_bars = True
        self.query_one(LivePicture).redraw()
        shown = self.lesson.facts.bar_temperatures | {_STEPS[self._place]}
        self.lesson.record(bar_temperatures=shown)

    def _picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        bars: Picture = ()
        if self._shown is not None:
            bars = bars_picture(self._shown, _STEPS[self._place], width, height, glyphs)
        rungs = self._ladder.rungs if self._ladder is not None else ()
        step, enough = self.lesson.run.view.step, self.lesson.stop.train_to
        if step < enough:
            bars = (*wrapped(f"First the model learns: step {step:,} of {enough:,}.", width, "problem"), *bars)
        if height < _BOTH_HEIGHT:
            return bars if self._shows_bars or not rungs else ladder_picture(rungs, width, height, glyphs)
        rest = ladder_picture(rungs, width, height - len(bars) - 1, glyphs)
        return fitted((*bars, (), *rest), width, height, glyphs)
