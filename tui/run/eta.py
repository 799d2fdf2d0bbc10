"""When a run will end, and how sure that is. Pure functions of a `RunView`; knows no framework.

The pace is that of the whole run, not of its steps: training seconds per step over the last minutes, in which
evaluations, tweets and saving are as they come. It begins anew where a session begins or the work becomes another.

How sure: the pace of a dozen pieces of that time differs, and by as much the pace of the time to come can differ. To
that comes what nobody can know after so short a time. In 17 runs, of 1 to 22 minutes, on a machine where other work
came and went, the end lay within the spread told in 74 of 100 cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tui.run.view import RunView

_SPAN_SECONDS = 120.0
"""How far back the pace is looked at: far enough for a steady figure, near enough to follow a change."""
_SLOW_SHARE = 1 / 3
"""Of the time since the pace began, this first part is left out while it is short: the first steps are slow."""
_MIN_AGE_SECONDS = 1e-6
"""No pace is known before: steps per second would overflow."""
_MAX_PIECES = 12
_MIN_DOUBT, _FIRST_DOUBT, _DOUBT_SECONDS = 0.03, 0.15, 30.0
"""What can't be known of the time to come: at least that share of it, at first the larger one, less with time."""


@dataclass(frozen=True)
class Eta:
    """Training seconds until the end."""

    seconds: float
    spread_seconds: float
    """It may well be so much less or more, two standard deviations; 0 where the budget is one of seconds."""


@dataclass(frozen=True)
class _Pace:
    """How fast a run is."""

    seconds_per_step: float
    deviation: float
    """Of the pieces' paces, as a share of the pace."""
    num_pieces: int
    steps_per_piece: float
    age_seconds: float
    """Since it began."""

    def eta(self, num_steps: float) -> Eta:
        """Return when that many more steps will be done."""
        num_pieces_to_come = max(num_steps / self.steps_per_piece, 1.0)
        by_chance = self.deviation * math.sqrt(1 / self.num_pieces + 1 / num_pieces_to_come)
        doubt = max(_FIRST_DOUBT / math.sqrt(1 + self.age_seconds / _DOUBT_SECONDS), _MIN_DOUBT)
        seconds = num_steps * self.seconds_per_step
        return Eta(seconds, 2 * math.hypot(by_chance, doubt) * seconds)


def eta_of(view: RunView) -> Eta | None:
    """Return when the first budget is used up; None without a budget, before the pace is known, and after the end."""
    if view.phase in {"finished", "failed"}:
        return None
    etas = [Eta(max(limit - view.elapsed_seconds, 0.0), 0.0) for limit in view.limits_in_seconds]
    pace = _pace_of(view) if view.limits_in_steps else None
    if pace is not None:
        etas += [pace.eta(max(limit - view.step, 0)) for limit in view.limits_in_steps]
    return min(etas, key=lambda eta: eta.seconds, default=None)


def _pace_of(view: RunView) -> _Pace | None:
    """Return the pace of the last minutes; None where there is none yet."""
    steps, seconds = view.seconds.singles(view.paced_from_step + 1)
    steps = np.concatenate([[view.paced_from_step], steps])
    seconds = np.concatenate([[view.paced_from_seconds], seconds])
    age_seconds = seconds[-1] - view.paced_from_seconds
    if age_seconds < _MIN_AGE_SECONDS:
        return None
    begin_seconds = max(seconds[-1] - _SPAN_SECONDS, view.paced_from_seconds + _SLOW_SHARE * age_seconds)
    begin = _on_whole_cycles(view, float(np.interp(begin_seconds, seconds, steps)), int(steps[-1]))
    num_pieces = int(np.clip(np.count_nonzero(steps > begin), 1, _MAX_PIECES))
    edges = np.linspace(begin, steps[-1], num_pieces + 1)
    took = np.diff(np.interp(edges, steps, seconds))
    if took.sum() <= 0:
        return None
    deviation = float(took.std(ddof=1) / took.mean()) if num_pieces > 1 else 0.0
    steps_per_piece = float(steps[-1] - begin) / num_pieces
    return _Pace(float(took.mean()) / steps_per_piece, deviation, num_pieces, steps_per_piece, float(age_seconds))


def _on_whole_cycles(view: RunView, begin: float, last_step: int) -> float:
    """Return a step near `begin` from which it is a whole number of intervals of evaluation to the last step.

    So each evaluation counts with the steps that led to it. Where the interval is too long for that, `begin` itself.
    """
    interval = view.training.eval_every if view.training is not None else 0
    if not interval or last_step - interval < view.paced_from_step:
        return begin
    return last_step - max(int((last_step - begin) / interval), 1) * interval
