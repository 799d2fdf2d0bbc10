"""The estimated end of a run, and its uncertainty. Pure functions of a `RunView`.

The pace is that of the whole run, not of its steps: training seconds per step over the last minutes, including
evaluations, tweets and saves. It is measured from each start of a session and each change of the work per step.

The uncertainty: the paces of a dozen intervals of that time differ, and by as much the future pace may differ; added is
a share that shrinks with time. In 17 runs of 1 to 22 minutes, on a machine with other load, the end was within
the spread in 74 of 100 cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tui.run.view import RunView

_SPAN_SECONDS = 120.0
"""The pace is measured over this time: long enough for a steady figure, short enough to follow a change."""
_SLOW_SHARE = 1 / 3
"""This first part of the time since the pace began is left out while it is short: the first steps are slow."""
_MIN_AGE_SECONDS = 1e-6
"""Below it no pace is computed: steps per second would overflow."""
_MAX_PIECES = 12
_MIN_DOUBT, _FIRST_DOUBT, _DOUBT_SECONDS = 0.03, 0.15, 30.0
"""Uncertainty that no measurement shows, as a share of the time left: least, initial, and how fast it shrinks."""


@dataclass(frozen=True)
class Eta:
    """Training seconds until the end."""

    seconds: float
    spread_seconds: float
    """Two standard deviations; 0 where the budget is one of seconds."""


@dataclass(frozen=True)
class _Pace:
    """The pace of a run."""

    seconds_per_step: float
    deviation: float
    """Standard deviation of the intervals' paces, as a share of the pace."""
    num_pieces: int
    steps_per_piece: float
    age_seconds: float
    """Since the pace is measured."""

    def eta(self, num_steps: float) -> Eta:
        """Return the time that `num_steps` more steps will take."""
        num_pieces_to_come = max(num_steps / self.steps_per_piece, 1.0)
        by_chance = self.deviation * math.sqrt(1 / self.num_pieces + 1 / num_pieces_to_come)
        doubt = max(_FIRST_DOUBT / math.sqrt(1 + self.age_seconds / _DOUBT_SECONDS), _MIN_DOUBT)
        seconds = num_steps * self.seconds_per_step
        return Eta(seconds, 2 * math.hypot(by_chance, doubt) * seconds)


def eta_of(view: RunView) -> Eta | None:
    """Return when the first budget is used up; None without a budget or a pace, and after the end."""
    if view.phase in {"finished", "failed"}:
        return None
    etas = [Eta(max(limit - view.elapsed_seconds, 0.0), 0.0) for limit in view.limits_in_seconds]
    pace = _pace_of(view) if view.limits_in_steps else None
    if pace is not None:
        etas += [pace.eta(max(limit - view.step, 0)) for limit in view.limits_in_steps]
    return min(etas, key=lambda eta: eta.seconds, default=None)


def _pace_of(view: RunView) -> _Pace | None:
    """Return the pace of the last minutes; None before the first report of steps."""
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
    """Move `begin` to a whole number of evaluation intervals before the last step.

    Each evaluation is then counted with the steps before it. Where the interval is too long for that, return `begin`.
    """
    interval = view.training.eval_every if view.training is not None else 0
    if not interval or last_step - interval < view.paced_from_step:
        return begin
    return last_step - max(int((last_step - begin) / interval), 1) * interval
