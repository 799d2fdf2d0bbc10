"""How far a run is: what was done last and how good it was; and how much of its budget is used."""

from __future__ import annotations

from dataclasses import dataclass

from engine.checkpoints.metadata import CheckpointInfo
from engine.config.run import TrainingConfig
from engine.training.evaluation import Evaluation
from engine.training.schedule import Finish

BUDGETS = ("max_steps", "epochs", "max_seconds")
"""What can end a run by itself; also the reasons that `RunFinished` gives for it."""


@dataclass(kw_only=True)
class Progress:
    """What was done last, and how good the model was then."""

    last_sample_step: int = -1
    last_eval_step: int = 0
    """The untrained model is not evaluated: its loss is ln V."""
    last_save_step: int = 0
    """Of the last `step-N` that the interval asked for."""
    val_loss: float | None = None
    bits_per_char: float | None = None
    best_bits_per_char: float | None = None
    finish: Finish | None = None
    """The last stretch, once it was asked for."""

    @classmethod
    def from_start(cls, start: CheckpointInfo | None) -> Progress:
        """Return the progress of the checkpoint that a run goes on from; of a new run for None."""
        progress = cls()
        if start is not None:
            progress.go_to(start)
            progress.best_bits_per_char = start.best_bits_per_char
            progress.finish = start.finish
        return progress

    def go_to(self, info: CheckpointInfo) -> None:
        """Stand where a checkpoint stood; what was best in this run stays the best."""
        self.last_sample_step = info.last_sample_step
        self.last_eval_step = info.last_eval_step
        self.last_save_step = info.last_save_step
        self.val_loss = info.val_loss
        self.bits_per_char = info.bits_per_char

    def record_non_finite(self, step: int) -> None:
        """Record a non-finite evaluation at `step`: there is no figure for these weights."""
        self.last_eval_step = step
        self.val_loss = self.bits_per_char = None

    def record_evaluation(self, step: int, evaluation: Evaluation) -> bool:
        """Take note of an evaluation at `step`; returns whether it is the best so far."""
        self.last_eval_step = step
        self.val_loss, self.bits_per_char = evaluation.nats_per_char, evaluation.bits_per_char
        is_best = self.best_bits_per_char is None or self.bits_per_char < self.best_bits_per_char
        if is_best:
            self.best_bits_per_char = self.bits_per_char
        return is_best


def is_due(step: int, interval: int, last_step: int) -> bool:
    """Return whether what happens every `interval` steps (0: never), last at `last_step`, is due at `step`."""
    return interval > 0 and step % interval == 0 and step != last_step


def _shares(training: TrainingConfig, position: tuple[int, float, float]) -> dict[str, float]:
    """Return the share of each kind of budget that is set; `position` in steps, epochs and seconds."""
    limits = (training.max_steps, training.epochs, training.max_seconds)
    return {
        name: used / limit for name, limit, used in zip(BUDGETS, limits, position, strict=True) if limit is not None
    }


def budget_used(training: TrainingConfig, position: tuple[int, float, float]) -> float | None:
    """Return the largest share that is used of any budget, at most 1; None where none is set."""
    shares = _shares(training, position)
    return min(1.0, max(shares.values())) if shares else None


def budget_used_up(training: TrainingConfig, position: tuple[int, float, float]) -> str | None:
    """Return the name of a budget that is used up, or None."""
    return next((name for name, share in _shares(training, position).items() if share >= 1), None)
