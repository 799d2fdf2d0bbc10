"""`RunView`: all that the screen knows of a run, as a value. `tui.run.reducer` folds events into it; widgets draw it.

Knows no framework and no thread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from engine.config.run import ModelConfig, SamplingConfig, TrainingConfig
from engine.protocol.events import (
    CheckpointSaved,
    RunFailed,
    RunFinished,
    RunStarted,
    StepTimes,
    TweetSampled,
    Warned,
)
from tui.run.marks import Mark
from tui.run.series.series import Series

Phase = Literal["starting", "training", "paused", "finished", "failed"]


@dataclass(frozen=True, kw_only=True)
class ValPoint:
    """One evaluation."""

    step: int
    val_loss: float
    bits_per_char: float
    is_best: bool


@dataclass(frozen=True, kw_only=True)
class RunView:
    """A run as it stands after some of its events. `RunView()` is the view before the first."""

    phase: Phase = "starting"
    is_replay: bool = False
    """The events come from the journal of a run; nobody trains, and nothing may be written for it."""
    started: RunStarted | None = None
    branched_from: str = ""
    """The checkpoint of another run that this one began from."""
    model: ModelConfig | None = None
    training: TrainingConfig | None = None
    """As it is now: what was changed while the run went on counts."""
    num_parameters: int = 0
    num_threads: int = 0
    finishes_at: int | None = None
    """The step at which the run ends that was asked to finish."""
    step: int = 0
    elapsed_seconds: float = 0.0
    learning_rate: float = 0.0
    chars_per_second: float = 0.0
    paced_from_step: int = 0
    """Where the pace of now began: a session, or work of another kind."""
    paced_from_seconds: float = 0.0
    """The training seconds of that step."""
    train_losses: Series = field(default_factory=Series.empty)
    """Nats per character."""
    learning_rates: Series = field(default_factory=Series.empty)
    """At the last step of each report."""
    seconds: Series = field(default_factory=Series.empty)
    """Training seconds so far, at the last step of each report."""
    marks: tuple[Mark, ...] = ()
    times: tuple[StepTimes, ...] = ()
    """What the last seconds of this session went into, the latest last; together about half a minute."""
    epochs_before: float = 0.0
    """Epochs passed through at `batch_size_since`: where a session began, or the batch size was changed."""
    batch_size_since: int = 0
    val_points: tuple[ValPoint, ...] = ()
    """The latest evaluations, ever fewer of the older ones, and the best."""
    best_taken_back: ValPoint | None = None
    """The best evaluation where it came after the checkpoint that was loaded since."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    tweets: tuple[TweetSampled, ...] = ()
    """The latest of the run, and ever fewer of the older ones; all of them are in its journal."""
    num_tweets: int = 0
    """All tweets ever applied; never goes back, so that a feed can tell how many are new."""
    saved: CheckpointSaved | None = None
    saved_step: int | None = None
    """Of the run's own `latest`, from which it would be resumed; None before the first, and while it is from before a
    load."""
    loaded_step: int | None = None
    """Of the checkpoint that the run last loaded; None where it has loaded none."""
    warnings: tuple[Warned, ...] = ()
    ended: RunFinished | RunFailed | None = None

    def to_be_resumed(self) -> RunView:
        """Return the view that a run begins with which goes on from where this one ended."""
        return replace(self, phase="starting", ended=None)

    @property
    def num_unsaved_steps(self) -> int:
        """Steps that a resume would have to take again, as far as is known."""
        is_disk_failing = any(warned.kind == "disk" for warned in self.warnings)
        if self.saved_step is None:
            return max(self.step - (self.loaded_step or 0), 0) if is_disk_failing else 0
        return max(self.step - self.saved_step, 0)

    @property
    def is_finishing(self) -> bool:
        """Whether the run is in its last stretch."""
        return self.finishes_at is not None and self.step < self.finishes_at

    @property
    def steps_per_epoch(self) -> int | None:
        """Steps that read every training tweet once."""
        if self.started is None or self.training is None:
            return None
        return max(math.ceil(self.started.num_train_tweets / self.training.batch_size), 1)

    @property
    def epoch(self) -> float:
        """Passes over the training tweets so far."""
        if not self.steps_per_epoch:
            return 0.0
        return self.epochs_before + (self.step - self.batch_size_since) / self.steps_per_epoch

    @property
    def smoothed_loss(self) -> float | None:
        """Train loss now, noise and spikes aside, in nats per character."""
        return self.train_losses.typical

    @property
    def smoothed_bits(self) -> float | None:
        """Train loss now, noise and spikes aside, in bits per character."""
        return None if self.smoothed_loss is None else self.smoothed_loss / math.log(2)

    @property
    def last_val(self) -> ValPoint | None:
        """The latest evaluation."""
        return self.val_points[-1] if self.val_points else None

    @property
    def best(self) -> ValPoint | None:
        """The best evaluation of this run, also where a loaded checkpoint has taken it back."""
        return next((point for point in reversed(self.val_points) if point.is_best), self.best_taken_back)

    @property
    def progress(self) -> float | None:
        """Share of the budget used, 0 to 1, of the one that is used up most; None without a budget."""
        shares = [self.elapsed_seconds / limit for limit in self.limits_in_seconds]
        shares += [self.step / limit for limit in self.limits_in_steps]
        return min(max(shares), 1.0) if shares else None

    @property
    def has_budget(self) -> bool:
        """Whether the run ends by itself."""
        return bool(self.limits_in_seconds or self.limits_in_steps)

    @property
    def limits_in_seconds(self) -> list[float]:
        """Return the budget in training seconds, if there is one."""
        limit = self.started.training.max_seconds if self.started else None
        return [] if limit is None else [limit]

    @property
    def limits_in_steps(self) -> list[float]:
        """Return the budgets in steps: of steps, of epochs, and the end of the last stretch."""
        if self.started is None or self.steps_per_epoch is None:
            return []
        training = self.started.training
        by_epochs = None
        if training.epochs is not None:
            by_epochs = self.batch_size_since + (training.epochs - self.epochs_before) * self.steps_per_epoch
        return [limit for limit in (training.max_steps, by_epochs, self.finishes_at) if limit is not None]


def is_over(view: RunView) -> bool:
    """Say whether a run has ended, or rests because its budget is used up."""
    rests = view.phase == "paused" and view.progress is not None and view.progress >= 1
    return view.ended is not None or rests
