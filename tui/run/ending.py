"""When a run ends, estimated, and how it can continue beyond its budget. Pure functions of a `RunView`.

The pace is that of the whole run, not of its steps: training seconds per step over the last minutes, including
evaluations, tweets and saves. It is measured from each start of a session and each change of the work per step. Its
uncertainty: the paces of a dozen intervals of that time differ, and by as much the future pace may differ; added is a
share that shrinks with time. In 17 runs of 1 to 22 minutes, on a machine with other load, the end was within the spread
in 74 of 100 cases.

Each choice to continue sets one limit or none and lifts the others, so that the run reaches that limit, whatever its
budget was. The learning rate then follows its schedule at the used share of the new budget: at the end of a cosine or a
cooldown it rises again, the less the shorter the extension.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.config.fields import with_settings
from engine.config.run import BUDGETS, Setting
from engine.protocol.commands import ChangeSettings, Command, Finish
from engine.training import schedule
from tui.run.view import SPENT, RunView, is_over, next_rate
from tui.text.numbers import format_duration, format_learning_rate
from tui.text.typed import Amount, Unit

_SPAN_SECONDS = 120.0
"""The pace is measured over this time: long enough for a steady figure, short enough to follow a change."""
_SLOW_SHARE = 1 / 3
"""Share of the time since the pace began that is skipped at its start while it is short: the first steps are slow."""
_MIN_AGE_SECONDS = 1e-6
"""The least time since the pace began from which it is computed: else steps per second would overflow."""
_MAX_PIECES = 12
_MIN_DOUBT, _FIRST_DOUBT, _DOUBT_SECONDS = 0.03, 0.15, 30.0
"""Uncertainty that no measurement shows, as a share of the time left: least, initial, and how fast it shrinks."""


@dataclass(frozen=True)
class Eta:
    """Training seconds until the end."""

    seconds: float
    spread_seconds: float
    """Two standard deviations; 0 where the budget is one of seconds."""


def eta_of(view: RunView) -> Eta | None:
    """Return when the first budget is used up; None without a budget or a pace, and after the end."""
    if view.phase in {"finished", "failed"}:
        return None
    etas = [Eta(max(limit - view.elapsed_seconds, 0.0), 0.0) for limit in view.limits_in_seconds]
    if view.limits_in_steps and (eta := _eta_after(view, max(min(view.limits_in_steps) - view.step, 0))):
        etas.append(eta)
    return min(etas, key=lambda eta: eta.seconds, default=None)


def _eta_after(view: RunView, num_steps: float) -> Eta | None:
    """Return the time that `num_steps` more steps take at the pace of the last minutes; None before a first report."""
    steps, seconds = view.seconds.singles(view.paced_from_step + 1)
    steps = np.concatenate([[view.paced_from_step], steps])
    seconds = np.concatenate([[view.paced_from_seconds], seconds])
    age_seconds = float(seconds[-1] - view.paced_from_seconds)
    if age_seconds < _MIN_AGE_SECONDS:
        return None
    begin_seconds = max(seconds[-1] - _SPAN_SECONDS, view.paced_from_seconds + _SLOW_SHARE * age_seconds)
    begin = float(np.interp(begin_seconds, seconds, steps))
    interval, last_step = view.training.eval_every if view.training is not None else 0, int(steps[-1])
    if interval and last_step - interval >= view.paced_from_step:  # each evaluation counts with the steps before it
        begin = last_step - max(int((last_step - begin) / interval), 1) * interval
    num_pieces = int(np.clip(np.count_nonzero(steps > begin), 1, _MAX_PIECES))
    took = np.diff(np.interp(np.linspace(begin, last_step, num_pieces + 1), steps, seconds))
    if took.sum() <= 0:
        return None
    steps_per_piece = (last_step - begin) / num_pieces
    deviation = float(took.std(ddof=1) / took.mean()) if num_pieces > 1 else 0.0
    by_chance = deviation * math.sqrt(1 / num_pieces + 1 / max(num_steps / steps_per_piece, 1.0))
    doubt = max(_FIRST_DOUBT / math.sqrt(1 + age_seconds / _DOUBT_SECONDS), _MIN_DOUBT)
    seconds_left = num_steps * float(took.mean()) / steps_per_piece
    return Eta(seconds_left, 2 * math.hypot(by_chance, doubt) * seconds_left)


ChoiceName = Literal["steps", "time", "double", "amount", "unlimited", "finish", "new run"]
MORE_STEPS, MORE_TIME = Amount(1000, "steps"), Amount(60, "seconds")
Budget = dict[str, Setting]
"""The limits of a run by name, all of `BUDGETS`; None is no limit."""
NO_LIMIT: Budget = dict.fromkeys(BUDGETS)
_FIELDS: dict[Unit, str] = {"steps": "max_steps", "seconds": "max_seconds", "epochs": "epochs"}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A way to continue: one row of `BudgetDialog`."""

    name: ChoiceName
    label: str
    effect: str
    """Where the run ends then, in a few words."""
    commands: tuple[Command, ...] = ()
    """Sent when it is chosen; empty for a choice that is no command."""
    note: str = ""
    """What happens to the other limits and to the learning rate, in a sentence or two; may be empty."""


def choices(view: RunView, at_start: Budget = NO_LIMIT) -> tuple[Choice, ...]:
    """Return the ways to continue a run as it is now; `at_start` is the budget that it began with."""
    rows = [
        _to_budget(view, "steps", f"+{MORE_STEPS.number:,.0f} steps", _budget_after(view, MORE_STEPS)),
        _to_budget(view, "time", "+1 minute", _budget_after(view, MORE_TIME)),
        _to_budget(view, "double", "as much again", _doubled_budget(view)),
        Choice(name="amount", label="another number", effect="steps, time or epochs"),
        _to_budget(view, "unlimited", "without limit", NO_LIMIT),
    ]
    if not view.is_finishing:
        rows.append(finish_choice(view))
    if is_over(view):
        note = "On the same tweets, with the settings that this run began with."
        rows.append(
            Choice(name="new run", label="new run", effect=f"from the start, {limit_text(at_start)}", note=note)
        )
    return tuple(rows)


def amount_choice(view: RunView, amount: Amount) -> Choice:
    """Return the choice of a typed amount."""
    return _to_budget(view, "amount", "another number", _budget_after(view, amount))


def finish_choice(view: RunView) -> Choice:
    """Return the choice to finish; a run whose budget is used up gets as many steps as that takes."""
    finish = schedule.finish_after(view.step)
    effect = f"until step {finish.last_step:,}, annealing the rate to zero"
    note = _note(view, _budget("max_steps", finish.last_step), finish) if is_over(view) else ""
    return Choice(name="finish", label="finish", effect=effect, commands=to_finish(view, view.step), note=note)


def to_finish(view: RunView, step: int) -> tuple[Command, ...]:
    """Return the commands with which a run at `step` finishes; a budget that is used up would refuse that."""
    if not is_over(view):
        return (Finish(),)
    return ChangeSettings(settings=_budget("max_steps", schedule.finish_after(step).last_step)), Finish()


def _to_budget(view: RunView, name: ChoiceName, label: str, budget: Budget) -> Choice:
    commands = (ChangeSettings(settings=budget),)
    return Choice(name=name, label=label, effect=limit_text(budget), commands=commands, note=_note(view, budget))


def limit_text(budget: Budget) -> str:
    """Return where a budget ends the run: "until step 2,000", "until 3:05 of training", "until you quit"."""
    steps, seconds, epochs = budget["max_steps"], budget["max_seconds"], budget["epochs"]
    limits = [] if steps is None else [f"step {steps:,}"]
    limits += [] if seconds is None else [f"{format_duration(seconds)} of training"]
    limits += [] if epochs is None else [f"epoch {epochs:g}"]
    return f"until {' or '.join(limits) or 'you quit'}"


def _budget(name: str, limit: float) -> Budget:
    return {**NO_LIMIT, name: int(limit) if name == "max_steps" else round(limit, 3)}


def _budget_after(view: RunView, amount: Amount) -> Budget:
    """Return the budget that ends a run this much later: than its limit in the same unit, or else than now."""
    name = _FIELDS[amount.unit]
    limit, used = view.settings[name], view.used[name]
    begin = used if limit is None or is_over(view) else max(limit, used)
    return _budget(name, (begin if name == "epochs" else round(begin)) + amount.number)


def doubled(limit: float, used: float) -> float:
    """Return twice a limit, or twice what was used where a load has led to more than that."""
    return 2 * (used if used >= 2 * limit else limit)


def _doubled_budget(view: RunView) -> Budget:
    """Return twice the limit that ends the run first, or twice the steps where none has ended it."""
    limits = {name: limit for name in BUDGETS if (limit := view.settings[name]) is not None}
    share, name = max(((view.used[name] / limit, name) for name, limit in limits.items()), default=(0.0, ""))
    if not name or (is_over(view) and share < SPENT):
        return _budget_after(view, Amount(max(view.step, 1), "steps"))
    return _budget(name, doubled(limits[name], view.used[name]))


def _note(view: RunView, budget: Budget, planned: schedule.Finish | None = None) -> str:
    """Return which limits are lifted, and how the learning rate changes; empty where neither does."""
    if view.training is None:
        return ""
    training, now = with_settings(view.training, budget), view.training
    lifted = []
    if now.max_steps is not None and training.max_steps is None:
        lifted.append(f"{now.max_steps:,} steps")
    if now.max_seconds is not None and training.max_seconds is None:
        lifted.append(format_duration(now.max_seconds))
    if now.epochs is not None and training.epochs is None:
        lifted.append(f"{now.epochs:g} epoch{'' if now.epochs == 1 else 's'}")
    has_limit = budget != NO_LIMIT
    sentences = [f"The limit of {' and of '.join(lifted)} is lifted."] if lifted and has_limit else []
    is_annealed = is_over(view) or view.is_finishing
    before = format_learning_rate(view.learning_rate if is_annealed else next_rate(view, now))
    after = format_learning_rate(next_rate(view, training, planned))
    if before != after:
        has_schedule = training.schedule != "constant" and has_limit
        why = f", its place on the longer {training.schedule} schedule" if has_schedule else ""
        sentences.append(f"The learning rate goes from {before} to {after}{why}.")
    return " ".join(sentences)
