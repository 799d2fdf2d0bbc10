"""`next_rate`: the learning rate of a run's next step, from its view. Imports no torch."""

from __future__ import annotations

from engine.config.run import TrainingConfig
from engine.training.schedule import Finish, budget_used, learning_rate_at
from tui.run.view import RunView


def next_rate(view: RunView, training: TrainingConfig, planned: Finish | None = None) -> float:
    """Return the learning rate of the next step with these settings, and with a planned finish, if any."""
    used = budget_used(training, view.step, view.epoch, view.elapsed_seconds)
    return learning_rate_at(training, view.step, used, planned)
