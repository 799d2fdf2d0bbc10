"""The learning rate of a run's next step and the step of its first evaluation, from its view. Imports no torch."""

from __future__ import annotations

import math

from engine.config.run import TrainingConfig
from engine.training.schedule import Finish, budget_used, learning_rate_at, next_evaluation
from tui.run.view import RunView


def next_rate(view: RunView, training: TrainingConfig, planned: Finish | None = None) -> float:
    """Return the learning rate of the next step with these settings, and with a planned finish, if any."""
    used = budget_used(training, view.step, view.epoch, view.elapsed_seconds)
    return learning_rate_at(training, view.step, used, planned)


def first_evaluation_at(view: RunView) -> int | None:
    """Return the step of the first evaluation, while it is still to come; None if the run has none, or has ended.

    A run on one tweet has none: it would be evaluated on the tweet that it is trained on.
    """
    training = view.training
    if training is None or not training.eval_every or view.is_overfit or view.val_points or view.ended is not None:
        return None
    return min([next_evaluation(training, view.step), *map(math.ceil, view.limits_in_steps)])
