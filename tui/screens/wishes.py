"""What the user has asked for and the session has not yet answered, so that a key shows at once. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.commands import CancelFinish, Finish, Pause, Resume, SetSampling
from engine.config import MAX_TEMPERATURE, MIN_TEMPERATURE, SamplingConfig
from engine.events import (
    CommandRefused,
    Event,
    FinishCancelled,
    FinishPlanned,
    Paused,
    Resumed,
    SamplingChanged,
)
from tui.run_view import RunView

TEMPERATURE_STEP = 0.05


@dataclass(frozen=True)
class Wishes:
    """The commands on their way; None where nothing is."""

    sampling: SamplingConfig | None = None
    num_unanswered: int = 0
    """Samplings sent and not yet answered. Only the last answer ends the wish: an earlier one may look the same."""
    is_paused: bool | None = None
    is_finishing: bool | None = None
    num_finishes_unanswered: int = 0
    """Wishes to finish or not, sent and not yet answered; as with the samplings, the last answer counts."""

    def over(self, view: RunView) -> RunView:
        """Return the view as it will be once the sampling asked for is in use."""
        return view if self.sampling is None else replace(view, sampling=self.sampling)

    def after(self, event: Event) -> Wishes:
        """Return what is still unanswered after `event`."""
        match event:
            case SamplingChanged() | CommandRefused(command="SetSampling"):
                return self._with_answer()
            case Paused() | Resumed() if isinstance(event, Paused) == self.is_paused:
                return replace(self, is_paused=None)
            case CommandRefused(command="Pause" | "Resume"):
                return replace(self, is_paused=None)
            case FinishPlanned() | FinishCancelled() | CommandRefused(command="Finish" | "CancelFinish"):
                num_unanswered = max(0, self.num_finishes_unanswered - 1)
                is_finishing = self.is_finishing if num_unanswered else None
                return replace(self, num_finishes_unanswered=num_unanswered, is_finishing=is_finishing)
            case _:
                return self

    def _with_answer(self) -> Wishes:
        """Return what is still unanswered after one more answer about the sampling."""
        num_unanswered = max(0, self.num_unanswered - 1)
        return replace(self, num_unanswered=num_unanswered, sampling=self.sampling if num_unanswered else None)

    def with_other_temperature(self, view: RunView, direction: int) -> tuple[Wishes, SetSampling]:
        """Return the wish for one temperature step up (1) or down (-1), and its command."""
        sampling = self.over(view).sampling
        temperature = round(sampling.temperature + direction * TEMPERATURE_STEP, 2)
        temperature = min(max(temperature, MIN_TEMPERATURE), MAX_TEMPERATURE)
        sampling = replace(sampling, temperature=temperature)
        wishes = replace(self, sampling=sampling, num_unanswered=self.num_unanswered + 1)
        return wishes, SetSampling(sampling=sampling)

    def with_pause_toggled(self, view: RunView) -> tuple[Wishes, Pause | Resume]:
        """Return the wish to pause or go on, whichever the last wish was not, and its command."""
        is_paused = view.phase == "paused" if self.is_paused is None else self.is_paused
        return replace(self, is_paused=not is_paused), Resume() if is_paused else Pause()

    def with_finish_toggled(self, view: RunView) -> tuple[Wishes, Finish | CancelFinish]:
        """Return the wish to finish or not yet, whichever the last wish was not, and its command."""
        is_finishing = view.is_finishing if self.is_finishing is None else self.is_finishing
        wishes = replace(self, is_finishing=not is_finishing, num_finishes_unanswered=self.num_finishes_unanswered + 1)
        return wishes, CancelFinish() if is_finishing else Finish()
