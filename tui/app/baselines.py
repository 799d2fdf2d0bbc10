"""`Baselines`: has a session measure the reference levels of the plot while they are shown, and reports crossings."""

from __future__ import annotations

from collections.abc import Callable

from engine.protocol.events import RunStarted
from engine.protocol.insight import MeasureBaselines
from tui.run.marks import Baseline, has_all, newly_crossed
from tui.run.model import RunModel

_COMMAND = MeasureBaselines(request=1_000_008)


class Baselines:
    """The reference levels of one run."""

    def __init__(self, run: RunModel, toast: Callable[[str], None]) -> None:
        """Ask nothing before the first step."""
        self._run, self._toast = run, toast
        self.refusal = ""
        """Why the session has not measured them."""
        self._has_asked = False
        self._started: RunStarted | None = None
        """The start of the session that is asked; another object once events were missed."""
        self._before: tuple[Baseline, ...] = ()
        self._from_step = 0
        """Crossings at earlier steps are not reported: they are of another session, or were missed."""

    def tick(self, *, are_shown: bool) -> None:
        """Ask a session once it trains; report the hardest baseline that was crossed since the last tick.

        While they are hidden, nothing is asked and nothing reported.
        """
        run, view = self._run, self._run.view
        if view.started is not self._started:
            self._started, self._from_step = view.started, view.step
            self._has_asked, self.refusal = False, ""
        before, self._before = self._before, view.baselines
        if not are_shown:
            return
        can_ask = run.has_model and not view.is_overfit and not has_all(view.baselines)
        if view.step > 0 and can_ask and not self._has_asked:
            self._has_asked = True
            run.connection.send(_COMMAND)  # also on a read-only screen
        if crossed := newly_crossed(before, view.baselines, self._from_step):
            self._toast(crossed.sentence)

    def toggle(self, *, are_shown: bool) -> None:
        """Report why there is nothing to show or hide; ask again after a refusal."""
        view = self._run.view
        if not view.baselines:
            self._toast(self._note() if are_shown else "Reference levels are off.")
        if are_shown and self.refusal:
            self._has_asked, self.refusal = False, ""

    def _note(self) -> str:
        """Return why no baselines are shown."""
        view = self._run.view
        if view.is_replay:
            return "A replay has no reference levels: the journal of a run does not contain them."
        if view.is_overfit:
            return "A run on one tweet has no reference levels: there are no other tweets to count."
        if self.refusal:
            return f"The reference levels were not measured: {self.refusal} They are tried again."
        if view.ended is not None:
            return "The run ended before its reference levels were measured."
        return "The reference levels are shown once they are measured."
