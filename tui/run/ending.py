"""The estimated end of a run, and its uncertainty. Pure functions of a `RunView`.

The pace is that of the whole run, not of its steps: training seconds per step over the last minutes, including
evaluations, tweets and saves. It is measured from each start of a session and each change of the work per step.

The uncertainty: the paces of a dozen intervals of that time differ, and by as much the future pace may differ; added is
a share that shrinks with time. In 17 runs of 1 to 22 minutes, on a machine with other load, the end was within
the spread in 74 of 100 cases.

How a run can continue beyond its budget: the choices of the dialog, the commands of each, and their effect. Pure.

Each choice sets one limit or none and lifts the others, so that the run reaches that limit, whatever its budget was.
The learning rate then follows its schedule at the used share of the new budget: at the end of a cosine or a cooldown it
rises again, the less the shorter the extension.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.config.fields import with_settings
from engine.config.run import BUDGETS, Setting
from engine.protocol.commands import ChangeSettings, Command, Finish
from engine.training import schedule
from tui.run.view import SPENT, RunView, is_over, next_rate
from tui.text.numbers import format_count, format_duration, format_learning_rate
from tui.text.typed import Amount, Unit

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


ChoiceName = Literal["steps", "time", "double", "amount", "unlimited", "finish", "new run"]
MORE_STEPS, MORE_TIME = Amount(1000, "steps"), Amount(60, "seconds")
Budget = dict[str, Setting]
"""The limits of a run by name, all of `BUDGETS`; None is no limit."""
NO_LIMIT: Budget = dict.fromkeys(BUDGETS)
_FIELDS: dict[Unit, str] = {"steps": "max_steps", "seconds": "max_seconds", "epochs": "epochs"}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One row of the dialog."""

    name: ChoiceName
    label: str
    effect: str
    """Where the run ends then, in a few words."""
    commands: tuple[Command, ...] = ()
    """Sent when it is chosen; empty for a choice that is no command."""
    note: str = ""
    """What happens to the other limits and to the learning rate, in a sentence or two; may be empty."""


def budget_after(view: RunView, amount: Amount) -> Budget:
    """Return the budget that ends a run this much later: than its limit in the same unit, or else than now."""
    limit, used = _limit(view, amount.unit), _used(view, amount.unit)
    begin = used if limit is None or is_over(view) else max(limit, used)
    return _budget(amount.unit, (begin if amount.unit == "epochs" else round(begin)) + amount.number)


def doubled_budget(view: RunView) -> Budget:
    """Return twice the limit that ends the run first, or twice the steps where none has ended it."""
    limits = {unit: limit for unit in _FIELDS if (limit := _limit(view, unit)) is not None}
    share, unit = max(((_used(view, unit) / limit, unit) for unit, limit in limits.items()), default=(0.0, "steps"))
    if unit not in limits or (is_over(view) and share < SPENT):
        return budget_after(view, Amount(max(view.step, 1), "steps"))
    return _budget(unit, 2 * max(limits[unit], _used(view, unit) if share >= 2 else 0))


def _budget(unit: Unit, limit: float) -> Budget:
    """Return the budget with one limit."""
    return {**NO_LIMIT, _FIELDS[unit]: int(limit) if unit == "steps" else round(limit, 3)}


def _used(view: RunView, unit: Unit) -> float:
    return {"steps": view.step, "seconds": view.elapsed_seconds, "epochs": view.epoch}[unit]


def _limit(view: RunView, unit: Unit) -> float | None:
    """Return the run's limit in a unit, if any."""
    return getattr(view.training, _FIELDS[unit], None)


def limit_text(budget: Budget) -> str:
    """Return where a budget ends the run: "until step 2,000", "until 3:05 of training", "until you quit"."""
    limits = []
    if (steps := budget["max_steps"]) is not None:
        limits.append(f"step {format_count(steps)}")
    if (seconds := budget["max_seconds"]) is not None:
        limits.append(f"{format_duration(seconds)} of training")
    if (epochs := budget["epochs"]) is not None:
        limits.append(f"epoch {epochs:g}")
    return f"until {' or '.join(limits) or 'you quit'}"


def budget_in(settings: Mapping[str, Setting]) -> Budget:
    """Return the budget in the settings of a run."""
    return {name: settings.get(name) for name in BUDGETS}


def choices(view: RunView, at_start: Budget = NO_LIMIT) -> tuple[Choice, ...]:
    """Return the rows of the dialog for a run as it is now; `at_start` is the budget that it began with."""
    return tuple(_choices(view, at_start))


def _choices(view: RunView, at_start: Budget) -> Iterator[Choice]:
    more_steps, more_time = (budget_after(view, amount) for amount in (MORE_STEPS, MORE_TIME))
    yield _with_budget(view, "steps", f"+{MORE_STEPS.number:,.0f} steps", more_steps)
    yield _with_budget(view, "time", "+1 minute", more_time)
    yield _with_budget(view, "double", "as much again", doubled_budget(view))
    yield Choice(name="amount", label="another number", effect="steps, time or epochs")
    yield _with_budget(view, "unlimited", "without limit", NO_LIMIT)
    if not view.is_finishing:
        yield finish_choice(view)
    if is_over(view):
        yield Choice(
            name="new run",
            label="new run",
            effect=f"from the start, {limit_text(at_start)}",
            note="On the same tweets, with the settings that this run began with.",
        )


def amount_choice(view: RunView, amount: Amount) -> Choice:
    """Return the choice of a typed amount."""
    return _with_budget(view, "amount", "another number", budget_after(view, amount))


def _with_budget(view: RunView, name: ChoiceName, label: str, budget: Budget) -> Choice:
    note = " ".join(filter(None, (_lifted(view, budget), _rate_text(view, budget))))
    commands = (ChangeSettings(settings=budget),)
    return Choice(name=name, label=label, effect=limit_text(budget), commands=commands, note=note)


def finish_choice(view: RunView) -> Choice:
    """Return the choice to finish; a run whose budget is used up gets as many steps as that takes."""
    finish = schedule.finish_after(view.step)
    last_step = finish.last_step
    budget: Budget = {**NO_LIMIT, "max_steps": last_step}
    return Choice(
        name="finish",
        label="finish",
        effect=f"until step {format_count(last_step)}, annealing the rate to zero",
        commands=(ChangeSettings(settings=budget), Finish()) if is_over(view) else (Finish(),),
        note=" ".join(filter(None, (_lifted(view, budget), _rate_text(view, budget, finish)))) if is_over(view) else "",
    )


def _lifted(view: RunView, budget: Budget) -> str:
    """Return which limits are lifted; empty if none are."""
    training = view.training
    if training is None or budget == NO_LIMIT:
        return ""
    lifted = []
    if training.max_steps is not None and budget["max_steps"] is None:
        lifted.append(f"{format_count(training.max_steps)} steps")
    if training.max_seconds is not None and budget["max_seconds"] is None:
        lifted.append(format_duration(training.max_seconds))
    if training.epochs is not None and budget["epochs"] is None:
        lifted.append(f"{training.epochs:g} epoch{'' if training.epochs == 1 else 's'}")
    return f"The limit of {' and of '.join(lifted)} is lifted." if lifted else ""


def _rate_text(view: RunView, budget: Budget, planned: schedule.Finish | None = None) -> str:
    """Return how the learning rate changes; empty where it does not."""
    if view.training is None:
        return ""
    training = with_settings(view.training, budget)
    is_annealed = is_over(view) or view.is_finishing
    before = format_learning_rate(view.learning_rate if is_annealed else next_rate(view, view.training))
    after = format_learning_rate(next_rate(view, training, planned))
    if before == after:
        return ""
    has_schedule = training.schedule != "constant" and budget != NO_LIMIT
    why = f", its place on the longer {training.schedule} schedule" if has_schedule else ""
    return f"The learning rate goes from {before} to {after}{why}."
