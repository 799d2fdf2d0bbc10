"""`upcoming_rates`: the learning rates of the next steps, as far as nothing else is due between them. Pure."""

from __future__ import annotations

from engine.session.state import RunState
from engine.training.schedule import (
    budget_used,
    exhausted_budget,
    is_early_evaluation,
    is_sample_step,
    learning_rate_at,
)


def upcoming_rates(state: RunState, count: int) -> list[float]:
    """Return the learning rates of at least one and at most `count` steps.

    The last of them is followed by a sample, an evaluation or a save, by the end of a budget or of a finish, by a new
    epoch, or by none of these.
    """
    training, finish = state.training, state.progress.finish
    count = 1 if training.steps_per_second else count  # the loop waits between steps
    intervals = [each for each in (training.eval_every, training.save_every) if each]
    rates: list[float] = []
    for step, epochs_before in enumerate(state.batches.upcoming_epochs(count), start=state.step):
        used = training, step, epochs_before, state.stopwatch.seconds
        is_over = exhausted_budget(*used) is not None or (finish is not None and step >= finish.last_step)
        is_work_due = is_sample_step(training, step) or is_early_evaluation(training, step)
        is_work_due = is_work_due or any(step % interval == 0 for interval in intervals)
        if rates and (is_over or is_work_due):
            break
        rates.append(learning_rate_at(training, step, budget_used(*used), finish))
    return rates
