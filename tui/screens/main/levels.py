"""Reference levels: asks the session to measure them while they are shown, and reports the crossing of one."""

from __future__ import annotations

from engine.protocol.events import RunStarted
from engine.protocol.insight import MeasureBaselines
from tui.run.marks import Level, has_all, newly_crossed
from tui.screens.main.run_control import Controller, RunControl
from tui.widgets.plot.plot import LossPlot

_REQUEST = 1_000_008


class LevelsController(Controller):
    """The levels of the run on the screen. While they are hidden, nothing is asked and nothing reported."""

    def __init__(self, run: RunControl) -> None:
        """Ask nothing before the first step."""
        super().__init__(run)
        self._started: RunStarted | None = None
        """The start of the session that is asked; another object once events were missed."""
        self._has_asked = False
        self._refusal = ""
        self._levels: tuple[Level, ...] = ()
        self._from_step = 0
        """Crossings at earlier steps are not reported: they are of another session, or were missed."""

    def mount(self) -> None:
        """Show or hide the levels as the user has chosen, and save what a key changes."""
        self._plot.shows_levels = self._run.services.store.preferences.levels
        self._run.screen.watch(self._plot, "shows_levels", self._toggled, init=False)

    @property
    def _plot(self) -> LossPlot:
        return self._run.screen.query_one(LossPlot)

    def tick(self) -> None:
        """Ask a session once it trains; report the hardest of the levels that were crossed since the last tick."""
        view = self._run.view
        if view.started is not self._started:
            self._started, self._from_step = view.started, view.step
            self._has_asked, self._refusal = False, ""
        before, self._levels = self._levels, view.levels
        if not self._plot.shows_levels:
            return
        if view.step > 0 and not self._has_asked and self._can_ask:
            self._has_asked = True
            self._run.bridge.send(MeasureBaselines(request=_REQUEST))
        crossed = newly_crossed(before, view.levels, self._from_step)
        if crossed is not None:
            self._run.messages.toast(crossed.sentence)

    def show_refusal(self, detail: str) -> None:
        """Note why the levels are not measured; reported once the user asks for them."""
        self._refusal = detail

    @property
    def _can_ask(self) -> bool:
        view = self._run.view
        return self._run.has_model and not view.is_overfit and not has_all(view.levels)

    def _toggled(self, has_levels: bool) -> None:  # noqa: FBT001 - Textual's signature
        """Save the choice; report why there is nothing to show, and ask again after a refusal."""
        self._run.services.store.change({"levels": has_levels})
        note = self._note() if has_levels else "Reference levels are off."
        if not self._run.view.levels:
            self._run.messages.toast(note)
        if has_levels and self._refusal:
            self._has_asked, self._refusal = False, ""

    def _note(self) -> str:
        """Return why no levels are shown."""
        view = self._run.view
        if view.is_replay:
            return "A replay has no reference levels: the journal of a run does not contain them."
        if view.is_overfit:
            return "A run on one tweet has no reference levels: there are no other tweets to count."
        if self._refusal:
            return f"The reference levels were not measured: {self._refusal} They are tried again."
        if view.ended is not None:
            return "The run ended before its reference levels were measured."
        return "The reference levels are shown once they are measured."
