"""`Run`: what the services of one run share. What is fixed is in its `RunSetup`, what changes in its `RunState`.

Used by the session's thread only.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from torch import Tensor

from engine.checkpoints.format import CheckpointInfo, Progress
from engine.compute.clocks import PhaseTimer, Stopwatch
from engine.compute.device import Runtime, generator_states
from engine.config.fields import option_of
from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import Batch, EncodedTweets
from engine.corpus.batches import BatchStream
from engine.corpus.training_data import TrainingData
from engine.errors import ConfigError, RunFinishedError
from engine.protocol import codec, events
from engine.protocol.progress import BatchCursor
from engine.storage.folders import RunFolder
from engine.storage.log import versions_of
from engine.training.schedule import (
    budget_used,
    exhausted_budget,
    is_early_evaluation,
    is_sample_step,
    learning_rate_at,
)
from engine.training.thread_tuner import ThreadTuner
from engine.training.trainer import Trainer

if TYPE_CHECKING:  # most of them import this module
    from engine.session.checkpointing import Checkpointing
    from engine.session.ranks.connection import Ranks
    from engine.session.ranks.leader import Leader
    from engine.session.reporter import Reporter
    from engine.training.out_of_memory import OutOfMemoryRetry

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


@dataclass(frozen=True, kw_only=True)
class RunSetup:
    """What is fixed when a run starts."""

    folder: RunFolder
    training_data: TrainingData
    val_tweets: EncodedTweets
    early_val_tweets: EncodedTweets
    """For the evaluations before the first regular one."""
    start: CheckpointInfo | None
    """The checkpoint that the run continues from; None for a new run."""
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
    """Replaced when threads or precision change, and when a checkpoint is loaded."""
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
    """The states of the workers' random generators, by rank: as of the checkpoint that was loaded or saved last."""
    in_flight: BatchCursor | None = None
    """The position of the batch of the step in progress."""
    last_batch: Batch | None = None
    """The batch of the last step; None before the first of this session, and after a checkpoint was loaded."""

    def __post_init__(self) -> None:
        """Time the trainer's steps."""
        self.timer = PhaseTimer(self.stopwatch.clock)
        self.trainer.timer = self.timer

    @property
    def step(self) -> int:
        """Optimizer steps taken so far."""
        return self.trainer.step_count

    @property
    def resume_position(self) -> BatchCursor:
        """The position in the data that a checkpoint continues from: a step in progress is taken again."""
        return self.batches.position if self.in_flight is None else self.in_flight

    @property
    def used_up_budget(self) -> str | None:
        """The name of the budget that is used up, if any."""
        return exhausted_budget(self.training, self.step, self.batches.epochs, self.stopwatch.seconds)

    @property
    def end_reason(self) -> str | None:
        """`FINISHED` or the name of the budget that is used up; None while the run continues."""
        finish = self.progress.finish
        return FINISHED if finish is not None and self.step >= finish.last_step else self.used_up_budget

    @property
    def is_past_best(self) -> bool:
        """Whether so many evaluations in a row have risen that the run is to go back to its best."""
        progress = self.progress
        is_open = progress.finish is None and not progress.has_returned
        return is_open and 0 < self.training.patience <= progress.num_risen

    def upcoming_rates(self, max_steps: int) -> list[float]:
        """Return the learning rates of the next steps, at least one and at most `max_steps`.

        The rate of a step depends on the position before its batch. The last of the steps is followed by a sample, an
        evaluation or a save, by the end of a budget or of a finish, or by none of these.
        """
        training, seconds, finish = self.training, self.stopwatch.seconds, self.progress.finish
        intervals = [each for each in (training.eval_every, training.save_every) if each]
        rates: list[float] = []
        for step, epochs in enumerate(self.batches.upcoming_epochs(max_steps), start=self.step):
            if rates and (
                exhausted_budget(training, step, epochs, seconds)
                or (finish is not None and step >= finish.last_step)
                or is_sample_step(training, step)
                or is_early_evaluation(training, step)
                or any(step % interval == 0 for interval in intervals)
            ):
                break
            used = budget_used(training, step, epochs, seconds)
            rates.append(learning_rate_at(training, step, used, finish))
        return rates

    def generators(self) -> dict[str, Tensor]:
        """Return the states of the generators, `generator.*`; `generator.DEVICE.RANK` are those of other processes."""
        device = self.runtime.device
        ranks = {f"generator.{device.type}.{rank}": state for rank, state in self.rank_generators.items()}
        return {f"generator.{name}": state for name, state in generator_states(device).items()} | ranks

    def whole_batch(self, batch: Batch) -> Batch:
        """Return the batch that was loaded last, with the parts of other processes."""
        return batch if batch.total_targets == batch.num_targets else self.batches.whole_batch()

    def replace_trainer(self, trainer: Trainer, batches: BatchStream) -> None:
        """Train with another trainer on other batches from now on."""
        trainer.timer = self.timer
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
    checkpoints: Checkpointing = field(init=False)
    """Set by the training loop: it saves this run."""

    def announce(self) -> None:
        """Emit `RunStarted`, and what the user should know before the first step."""
        setup, state, reporter = self.setup, self.state, self.reporter
        corpus, computation = setup.training_data.corpus, state.runtime.computation(setup.training_data.part.world_size)
        reporter.emit(
            events.RunStarted,
            run=setup.folder.name,
            corpus=corpus.name,
            num_train_tweets=state.batches.tweets_per_epoch,
            num_val_tweets=len(corpus.validation),
            vocab_size=len(setup.training_data.vocab),
            num_parameters=state.trainer.model.num_parameters,
            **(asdict(computation) | {"device": str(state.runtime.device)}),
            model=state.model_config,
            training=state.training,
            sampling=state.sampling,
            resumed_from=setup.resumed_from,
            is_warm_start=setup.is_warm_start,
            epochs=state.batches.epochs,
            backend="" if setup.ranks is None else setup.ranks.backend,
            started_at=time.time(),
            num_rows=corpus.report.num_rows,
            dropped=tuple(corpus.report.dropped.items()),
        )
        for message in setup.warnings:
            reporter.emit(events.Warned, message=message)
        if state.progress.finish is not None:
            reporter.emit(events.FinishPlanned, last_step=state.progress.finish.last_step)

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
        if (budget := state.used_up_budget) is not None:
            raise RunFinishedError(finished_text(budget), f"Resume it with a larger {option_of(budget)}.")
        if state.end_reason == FINISHED:
            state.progress.finish = None
            self.checkpoints.record_change()
            self.reporter.emit(events.FinishPlanned, last_step=None)
        if state.is_paused:
            state.is_paused = False
            state.stopwatch.resume()
            state.timer.resume()
            self.reporter.emit(events.Resumed)

    def checkpoint_info(self) -> CheckpointInfo:
        """Return the metadata of a checkpoint of this moment. All steps must have been reported.

        A resumed run repeats one that never stopped bit for bit, as a checkpoint has all that a step depends on:

        * weights, averaged weights, moments and row squares: `Trainer.state`;
        * the generators of torch, of the device and of other ranks: `RunState.generators`; a step that fails restores
          them, and all else draws from derived seeds or from generators of its own;
        * the next batch: a position in an order that depends on seed and epoch alone; a batch whose step was
          interrupted (`in_flight`) is repeated;
        * learning rate, and what is due: step, settings and `Progress`;
        * device, precision and threads: `Computation`.

        Exceptions: with `max_seconds` the learning rate depends on the clock; threads may be measured again, by time;
        the micro-batch size after an out-of-memory is not stored (other rounding and, with dropout, masks);
        skipped steps and rollbacks are counted anew, and a rollback leads to `latest`, autosaved by the clock; a GPU
        needs `--deterministic`. Tweets and, on a GPU, evaluations paced by the clock may differ, not the training.
        """
        state, data = self.state, self.setup.training_data
        return CheckpointInfo(
            run=self.setup.folder.name,
            corpus_name=data.corpus.name,
            corpus=data.config,
            corpus_digest=data.corpus.digest,
            model=state.model_config,
            training=state.training,
            sampling=state.sampling,
            vocab=data.vocab.chars,
            computation=state.runtime.computation(data.part.world_size),
            step=state.step,
            position=state.resume_position,
            elapsed_seconds=state.stopwatch.seconds,
            progress=replace(state.progress),
            versions=versions_of("tweetgen-tui", "torch", "safetensors"),
        )

    def config_content(self) -> bytes:
        """Return the content of `config.json`: the settings of the run and its computation, for people and scripts."""
        setup, state = self.setup, self.state
        settings = {
            "corpus": setup.training_data.config,
            "model": state.model_config,
            "training": state.training,
            "sampling": state.sampling,
            **asdict(state.runtime.computation(setup.training_data.part.world_size)),
            "backend": "" if setup.ranks is None else setup.ranks.backend,
            "resumed_from": setup.resumed_from,
        }
        return codec.pretty(settings).encode()
