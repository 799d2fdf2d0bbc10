"""`Run`: what the services of one run share. What is fixed is in its `RunSetup`, what changes in its `RunState`.

Used by the session's thread only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from engine.checkpoints.format import CheckpointInfo
from engine.compute.clocks import PhaseTimer, Stopwatch
from engine.compute.device import Runtime
from engine.config.fields import option_of
from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.batches import BatchStream
from engine.corpus.encoded_tweets import Batch, EncodedTweets
from engine.corpus.position import Position
from engine.corpus.training_data import TrainingData
from engine.errors import ConfigError, RunFinishedError
from engine.protocol import events
from engine.storage.folders import RunFolder
from engine.training.evaluation import Evaluation
from engine.training.schedule import Finish, exhausted_budget
from engine.training.thread_tuner import ThreadTuner
from engine.training.trainer import Trainer

if TYPE_CHECKING:  # they import this module
    from engine.session.checkpointing import RunCheckpoints
    from engine.session.ranks import Leader, Ranks
    from engine.session.reporter import Reporter
    from engine.training.out_of_memory import OutOfMemoryRetry

SKIPPED_IN_A_ROW = 3
FINISHED = "finished"
"""The reason of a run that ends after its planned finish."""


def finished_text(reason: str) -> str:
    """Return the sentence that a run is finished; `reason` as of `RunState.end_reason`."""
    return "The run is finished" + ("." if reason == FINISHED else f": {option_of(reason)} is reached.")


def require_unspent_budget(training: TrainingConfig, steps: int, epochs: float, seconds: float) -> None:
    """Raise `ConfigError` where a run that has used this much of its budget would end at once."""
    budget = exhausted_budget(training, steps, epochs, seconds)
    if budget is not None:
        option, duration = option_of(budget), f" in {seconds:.1f} s" if seconds else ""
        raise ConfigError(
            f"The run has taken {steps:,} steps{duration} already; "
            f"it would end at once, by {option} {getattr(training, budget):.12g}.",
            f"Set a larger {option}.",
        )


@dataclass(kw_only=True)
class Progress:
    """What was done last, and the latest figures. Part of every checkpoint."""

    last_sample_step: int = -1
    num_exact_samples: int = 0
    """Samples in a row that equalled the only tweet of an overfit run."""
    last_eval_step: int = 0
    """The untrained model is not evaluated: its loss is ln V."""
    is_eval_early: bool = False
    """Whether that evaluation was on some of the tweets."""
    last_save_step: int = 0
    """Of the last `step-N` saved by the interval."""
    total_chars: int = 0
    """Characters trained on, over all epochs and resumes."""
    train_loss: float | None = None
    """Of the last step that was not skipped."""
    val_loss: float | None = None
    bits_per_char: float | None = None
    best_bits_per_char: float | None = None
    finish: Finish | None = None
    """The planned finish, if any."""

    @classmethod
    def from_start(cls, start: CheckpointInfo | None) -> Progress:
        """Return the progress of the checkpoint that a run continues from; of a new run for None."""
        if start is None:
            return cls()
        progress = cls(total_chars=start.total_chars, best_bits_per_char=start.best_bits_per_char, finish=start.finish)
        progress.restore(start)
        return progress

    def restore(self, info: CheckpointInfo) -> None:
        """Return to the steps and figures of a checkpoint; the best of this run and its characters stay."""
        self.last_sample_step = info.last_sample_step
        self.num_exact_samples = info.num_exact_samples
        self.last_eval_step = info.last_eval_step
        self.is_eval_early = info.is_eval_early
        self.last_save_step = info.last_save_step
        self.train_loss = info.train_loss
        self.val_loss = info.val_loss
        self.bits_per_char = info.bits_per_char

    def record_non_finite(self, step: int, *, is_early: bool) -> None:
        """Record a non-finite evaluation at `step`: there is no figure for these weights."""
        self.last_eval_step, self.is_eval_early = step, is_early
        self.val_loss = self.bits_per_char = None

    def record_evaluation(self, step: int, evaluation: Evaluation, *, is_early: bool) -> bool:
        """Record an evaluation at `step`; return whether it is the best so far, which an early one never is."""
        self.last_eval_step, self.is_eval_early = step, is_early
        self.val_loss, self.bits_per_char = evaluation.nats_per_char, evaluation.bits_per_char
        is_best = not is_early and (self.best_bits_per_char is None or self.bits_per_char < self.best_bits_per_char)
        if is_best:
            self.best_bits_per_char = self.bits_per_char
        return is_best


@dataclass(frozen=True, kw_only=True)
class RunSetup:
    """What is fixed when a run starts."""

    folder: RunFolder
    training_data: TrainingData
    val_tweets: EncodedTweets
    early_val_tweets: EncodedTweets
    """For the evaluations before the first regular one."""
    start: CheckpointInfo | None
    """The checkpoint that the run continues from, with the progress that it continues; None for a new run."""
    resumed_from: str | None
    """The name of that checkpoint."""
    is_warm_start: bool
    """Whether its weights were those of the shipped model."""
    warnings: tuple[str, ...]
    ranks: Ranks | None
    """The connection to the other processes that train this run; None without any."""


@dataclass(kw_only=True)
class RunState:
    """What changes while a run trains."""

    trainer: Trainer
    """Replaced when a checkpoint is loaded."""
    runtime: Runtime
    """Replaced when another number of threads is chosen."""
    thread_tuner: ThreadTuner | None
    """None where the number of threads is fixed."""
    model_config: ModelConfig
    training: TrainingConfig
    sampling: SamplingConfig
    batches: BatchStream
    progress: Progress
    stopwatch: Stopwatch
    """Seconds of training."""
    timer: PhaseTimer = field(init=False)
    """In the phase "other" between two steps."""
    is_paused: bool = False
    rank_generators: dict[int, Tensor] = field(default_factory=dict)
    """The states of the followers' random generators, by rank: as of the checkpoint that was loaded or saved last."""
    in_flight: Position | None = None
    """The position of the batch of the step in progress."""
    last_batch: Batch | None = None
    """The batch of the last step; None before the first of this session, and after a checkpoint was loaded."""

    def __post_init__(self) -> None:
        """Time the trainer's steps."""
        self.timer = PhaseTimer(self.stopwatch.clock)
        self.trainer.use_timer(self.timer)

    @property
    def step(self) -> int:
        """Optimizer steps taken so far."""
        return self.trainer.step_count

    @property
    def elapsed(self) -> tuple[int, float, float]:
        """Steps, epochs and seconds so far: what budgets are compared with."""
        return self.step, self.batches.epochs, self.stopwatch.seconds

    @property
    def resume_position(self) -> Position:
        """The position in the data that a checkpoint continues from: a step in progress is taken again."""
        return self.batches.position if self.in_flight is None else self.in_flight

    @property
    def is_finished(self) -> bool:
        """Whether the last step of a planned finish is taken."""
        finish = self.progress.finish
        return finish is not None and self.step >= finish.last_step

    @property
    def has_diverged(self) -> bool:
        """Whether `SKIPPED_IN_A_ROW` steps were skipped: later ones are non-finite too."""
        return self.trainer.skipped_in_a_row >= SKIPPED_IN_A_ROW

    @property
    def end_reason(self) -> str | None:
        """`FINISHED` or the name of the budget that is used up; None while the run continues."""
        return FINISHED if self.is_finished else exhausted_budget(self.training, *self.elapsed)

    def whole_batch(self, batch: Batch) -> Batch:
        """Return the batch that was loaded last, with the parts of other processes."""
        return batch if batch.total_targets == batch.num_targets else self.batches.whole_batch()

    def finish_step(self, batch: Batch, seconds: float) -> None:
        """Count a step on `batch`, which was loaded last and took `seconds` to train on."""
        self.in_flight = None
        self.last_batch = self.whole_batch(batch)
        self.timer.switch_to("other")
        self.timer.num_steps += 1
        self.progress.total_chars += batch.total_targets
        if self.thread_tuner is not None:
            is_small = batch.num_tweets <= self.training.first_batch_size
            self.thread_tuner.record_step(seconds, batch.num_targets, is_small=is_small)

    def replace_trainer(self, trainer: Trainer, batches: BatchStream) -> None:
        """Train with another trainer on other batches from now on."""
        trainer.use_timer(self.timer)
        self.trainer.close()
        self.trainer, self.batches = trainer, batches
        self.last_batch = None


@dataclass(kw_only=True)
class Run:
    """One run: each service takes it."""

    setup: RunSetup
    state: RunState
    reporter: Reporter
    oom: OutOfMemoryRetry
    """Takes steps and evaluates within the memory of the device."""
    leader: Leader | None
    """Lets other processes take the same steps; None without any."""
    checkpoints: RunCheckpoints = field(init=False)
    """Set by the training loop: it saves this run."""

    def pause(self) -> None:
        """Pause training and its clocks; no-op while paused."""
        state = self.state
        if not state.is_paused:
            state.is_paused = True
            self.reporter.emit_steps()
            state.stopwatch.pause()
            state.timer.stop()
            self.reporter.emit(events.Paused)

    def resume(self) -> None:
        """Continue training; a finished run does so without its finish. Raises `ConfigError` on a used-up budget."""
        state = self.state
        if state.is_finished:
            state.progress.finish = None
            self.reporter.emit(events.FinishCancelled)
        budget = state.end_reason
        if budget is not None:
            raise RunFinishedError(finished_text(budget), f"Resume it with a larger {option_of(budget)}.")
        if state.is_paused:
            state.is_paused = False
            state.stopwatch.resume()
            state.timer.resume()
            self.reporter.emit(events.Resumed)
