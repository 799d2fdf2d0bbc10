"""`RunView`: the state of a run on the screen, as a value. `tui.run.fold` folds events into it; widgets draw it.

Its field names are part of the socket protocol (`tui.process.protocol`). Imports no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from engine.config.run import ModelConfig, Setting, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.batches import FIRST_TWEETS
from engine.protocol import events as e
from engine.protocol.insight import StepTaken
from engine.training.schedule import Finish, budget_used, learning_rate_at, next_evaluation
from tui.run.marks import Baseline, DraftCounts, Mark
from tui.run.series import Series

RunPhase = Literal["starting", "training", "paused", "finished", "failed"]
SPENT = 1 - 1e-9
"""The used share of a budget from which on it is used up: epochs are computed from steps, to rounding."""


@dataclass(kw_only=True)
class RunView:
    """A run after some of its events. `RunView()` is the view before the first. Only `tui.run.fold` assigns, to copies.

    Fields that did not change stay the same objects: widgets compare them by identity.
    """

    phase: RunPhase = "starting"
    is_replay: bool = False
    """The events are replayed from a journal: nothing is trained, and nothing may be written."""
    started: e.RunStarted | None = None
    branched_from: str = ""
    """The checkpoint of another run that this one started from."""
    is_warm_start: bool = False
    """Whether the run started from the model shipped for small corpora, also after a resume."""
    model: ModelConfig | None = None
    training: TrainingConfig | None = None
    """The current settings, including changes since the start."""
    num_parameters: int = 0
    num_threads: int = 0
    precision: str = ""
    finishes_at: int | None = None
    """The step at which a run that is finishing ends."""
    step: int = 0
    elapsed_seconds: float = 0.0
    learning_rate: float = 0.0
    chars_per_second: float = 0.0
    step_taken: StepTaken | None = None
    """The last single step that was taken while paused."""
    paced_from_step: int = 0
    """The step from which the pace is measured: the start of a session, or a change of the work per step."""
    paced_from_seconds: float = 0.0
    """The training seconds at `paced_from_step`."""
    train_losses: Series = field(default_factory=Series.empty)
    """The train loss of each step in nats per character."""
    smoothed_from_step: int = 0
    """The first step of the smoothed train loss: that after a load of other weights than the curve leads to."""
    learning_rates: Series = field(default_factory=Series.empty)
    """The learning rate at the last step of each report."""
    seconds: Series = field(default_factory=Series.empty)
    """Training seconds so far, at the last step of each report."""
    marks: tuple[Mark, ...] = ()
    times: tuple[e.StepTimes, ...] = ()
    """The time per phase of a step over about the last half minute of this session, the latest last."""
    ranks: e.RanksMeasured | None = None
    """How the processes of this session shared the time last; None with one process."""
    epochs_before: float = 0.0
    """Epochs completed at `batch_size_since`: where a session started, or the batch size was changed."""
    batch_size_since: int = 0
    val_points: tuple[e.EvalFinished, ...] = ()
    """The latest evaluations, a thinned selection of the older ones, and the best."""
    best_taken_back: e.EvalFinished | None = None
    """The best evaluation, if a load has taken back its step and none since is better."""
    baselines: tuple[Baseline, ...] = ()
    """What a model of these tweets has to beat; empty until measured."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    tweets: tuple[e.TweetSampled, ...] = ()
    """The latest, and a thinned selection of the older ones; all of them are in the journal."""
    num_tweets: int = 0
    """The number of tweets ever applied; never decreases, so that a feed can compute how many are new."""
    tweet_delayed: e.TweetDelayed | None = None
    """The delay of the next tweet by the filter; None if it has come."""
    drafts: DraftCounts = field(default_factory=DraftCounts)
    """The drafts of the tweets sampled with the current filter."""
    saved: e.CheckpointSaved | None = None
    saved_by_name: e.CheckpointSaved | None = None
    """The last checkpoint that the user saved; `saved` may be a later one of the run's own."""
    saved_step: int | None = None
    """The step of the run's `latest`, where a resume starts; None before the first, and from a load to the next."""
    loaded_step: int | None = None
    """The step of the checkpoint loaded last; None without one."""
    loaded_name: str = ""
    warnings: tuple[e.Warned, ...] = ()
    ended: e.RunFinished | e.RunFailed | None = None

    def for_resume(self) -> RunView:
        """Return the view with which a resumed run starts."""
        return replace(self, phase="starting", ended=None)

    @property
    def name(self) -> str:
        """The run's name; empty before its start."""
        return "" if self.started is None else self.started.run

    @property
    def settings(self) -> dict[str, Setting]:
        """The current settings of training and sampling by name."""
        return {**vars(self.training or TrainingConfig()), **vars(self.sampling)}

    @property
    def shown_phase(self) -> RunPhase:
        """The phase for a reader: "finished" also while the session is paused because the budget is used up."""
        is_at_end = self.phase == "paused" and is_over(self) and not self.is_replay
        return "finished" if is_at_end else self.phase

    @property
    def num_unsaved_steps(self) -> int:
        """Steps that a resume would repeat, as far as is known."""
        if self.saved_step is not None:
            return max(self.step - self.saved_step, 0)
        is_disk_failing = any(warned.kind == "disk" for warned in self.warnings)
        return max(self.step - (self.loaded_step or 0), 0) if is_disk_failing else 0

    @property
    def last_step_taken(self) -> StepTaken | None:
        """The single step that led here, also while the next one is computed; None if training has gone on since."""
        return self.step_taken if self.step_taken and 0 <= self.step - self.step_taken.step <= 1 else None

    @property
    def is_finishing(self) -> bool:
        """Whether the run anneals its learning rate before it ends."""
        return self.finishes_at is not None and self.step < self.finishes_at

    @property
    def is_back_at_best(self) -> bool:
        """Whether the run has gone back to its best, as validation rose, and is over."""
        return self.step == self.finishes_at == self.loaded_step and self.loaded_name == f"{self.name}/best"

    @property
    def ends_at_best(self) -> bool:
        """Whether the run goes back to its best, and ends, once validation has risen: it does so once."""
        return self.training is not None and self.training.patience > 0 and self.loaded_name != f"{self.name}/best"

    @property
    def is_overfit(self) -> bool:
        """Whether the model learns a single tweet by heart, as in part (c) of the tutorial."""
        return self.started is not None and self.started.num_train_tweets == 1

    @property
    def _epoch_count(self) -> EpochCount | None:
        """The epochs of the steps since `batch_size_since`; None before the start."""
        if self.started is None or self.training is None:
            return None
        return EpochCount.of(self.training, self.started.num_train_tweets, self.epochs_before)

    @property
    def epoch(self) -> float:
        """Passes over the training tweets so far."""
        count = self._epoch_count
        return 0.0 if count is None else count.epochs_after(self.step - self.batch_size_since)

    @property
    def smoothed_loss(self) -> float | None:
        """The current train loss without noise and spikes, in nats per character."""
        return self.train_losses.trimmed_mean_from(self.smoothed_from_step)

    @property
    def smoothed_bits(self) -> float | None:
        """The current train loss without noise and spikes, in bits per character."""
        return None if self.smoothed_loss is None else self.smoothed_loss / math.log(2)

    @property
    def last_val(self) -> e.EvalFinished | None:
        """The latest evaluation."""
        return self.val_points[-1] if self.val_points else None

    @property
    def best(self) -> e.EvalFinished | None:
        """The best evaluation of this run, also after an older checkpoint was loaded."""
        return self.best_taken_back or next((point for point in reversed(self.val_points) if point.is_best), None)

    def is_beaten(self, baseline: Baseline) -> bool:
        """Return whether a baseline that was crossed is above the latest evaluation, too: a loss may rise again."""
        last = self.last_val
        return baseline.crossed_at is not None and last is not None and last.bits_per_char < baseline.bits_per_char

    @property
    def progress(self) -> float | None:
        """The used share, 0 to 1, of the budget that ends the run; None without a budget."""
        shares = [self.elapsed_seconds / limit for limit in self.limits_in_seconds]
        shares += [self.step / limit for limit in self.limits_in_steps]
        return min(max(shares), 1.0) if shares else None

    @property
    def used(self) -> dict[str, float]:
        """How much of each budget is used, by its name."""
        return {"max_steps": self.step, "epochs": self.epoch, "max_seconds": self.elapsed_seconds}

    @property
    def limits_in_seconds(self) -> list[float]:
        """The budget in training seconds, if any."""
        return [] if self.training is None or self.training.max_seconds is None else [self.training.max_seconds]

    @property
    def limits_in_steps(self) -> list[float]:
        """The budgets in steps: of steps, of epochs, and the last step of a run that is finishing."""
        training, count = self.training, self._epoch_count
        if training is None or count is None:
            return []
        by_epochs = None if training.epochs is None else self.batch_size_since + count.steps_until(training.epochs)
        return [limit for limit in (training.max_steps, by_epochs, self.finishes_at) if limit is not None]


def is_spent(view: RunView) -> bool:
    """Return whether the budget is used up."""
    return view.progress is not None and view.progress >= SPENT


def is_over(view: RunView) -> bool:
    """Return whether a run has ended, or is paused because its budget is used up."""
    return view.ended is not None or (view.phase == "paused" and is_spent(view))


@dataclass(frozen=True)
class EpochCount:
    """Converts steps, counted from a point of the run, to epochs and back."""

    epochs_before: float
    """Epochs completed at that point."""
    steps_per_epoch: int
    """Steps of an epoch with whole batches."""
    num_small_steps: float
    """Steps from that point on that are on parts of whole batches, as a run may begin (`BatchStream`)."""
    steps_per_batch: int
    """Small steps per whole batch."""

    @classmethod
    def of(cls, training: TrainingConfig, num_tweets: int, epochs_before: float) -> EpochCount:
        """Return the count of a run on `num_tweets`, from where `epochs_before` are completed."""
        size, first_size = training.batch_size, training.first_batch_size
        steps_per_epoch = max(math.ceil(num_tweets / size), 1)
        steps_per_batch = math.ceil(min(size, num_tweets) / first_size) if first_size else 1
        num_cut = max(0.0, min(math.ceil(FIRST_TWEETS / size), steps_per_epoch) - epochs_before * steps_per_epoch)
        return cls(epochs_before, steps_per_epoch, num_cut * steps_per_batch, steps_per_batch)

    def epochs_after(self, steps: int) -> float:
        """Return the epochs completed after so many steps."""
        num_small = min(steps, self.num_small_steps)
        num_batches = num_small / self.steps_per_batch + steps - num_small
        return self.epochs_before + num_batches / self.steps_per_epoch

    def steps_until(self, epochs: float) -> float:
        """Return the steps until so many epochs are completed, the inverse of `epochs_after`."""
        num_batches = (epochs - self.epochs_before) * self.steps_per_epoch
        num_cut = min(num_batches, self.num_small_steps / self.steps_per_batch)
        return num_cut * self.steps_per_batch + num_batches - num_cut


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
