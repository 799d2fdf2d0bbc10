"""`Run`: one training run: its state, the services that work on it, and what can be done between two steps.

It decides nothing: `engine.session.loop` calls it, by the clock, by the step, or for a command.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence

from engine.config.fields import option_of
from engine.corpus.batches import BatchStream
from engine.corpus.encoded_tweets import Batch
from engine.errors import RunFinishedError
from engine.protocol import events, insight
from engine.session.checkpointing import RunCheckpoints
from engine.session.evaluation import EvaluationService
from engine.session.questions import BatchService, InsightService
from engine.session.ranks import Leader
from engine.session.reporter import Reporter
from engine.session.sampling import SamplingService
from engine.session.settings import LiveSettings
from engine.session.startup.setup import RunSetup
from engine.session.state import RunState, finished_text
from engine.training.out_of_memory import OutOfMemoryRetry
from engine.training.schedule import budget_used, learning_rate_at, upcoming_rates
from engine.training.trainer import Trainer
from engine.training.tuning import runtime_change

TIMES_SECONDS = 2.0
"""Training time between two `StepTimes`."""


class Run:
    """Owns the state of one run. Used by the session's thread only."""

    def __init__(self, setup: RunSetup, state: RunState, reporter: Reporter) -> None:
        self.setup = setup
        self.state = state
        self.reporter = reporter
        self.oom = OutOfMemoryRetry(state, lambda message: reporter.emit(events.Warned, message=message))
        self.leader = None if setup.ranks is None else Leader(setup.ranks, state, reporter)
        """Gives the orders, where several processes train."""
        self.checkpoints = RunCheckpoints(setup, state, reporter, self.oom, self.leader)
        self.settings = LiveSettings(setup.training_data, state, reporter, self.checkpoints.record_change)
        self.sampling_service = SamplingService(setup.training_data, state, reporter)
        self.evaluation_service = EvaluationService(setup, state, reporter, self.oom, self.checkpoints)
        self.insight_service = InsightService(setup, state, reporter, self.oom)
        self.batch_service = BatchService(setup.training_data, state, reporter)
        self._clock = state.stopwatch.clock

    def close(self) -> None:
        """Wait for the checkpoint that is being written."""
        self.checkpoints.saver.queue.close()

    def begin(self) -> None:
        """Announce the run, and save `latest` so that it can be resumed from here."""
        setup, state = self.setup, self.state
        self.checkpoints.saver.folder.prepare()  # first: an announced run is in `runs list`
        self.reporter.emit(
            events.RunStarted,
            run=setup.folder.name,
            corpus=setup.training_data.corpus.name,
            num_train_tweets=state.batches.tweets_per_epoch,
            num_val_tweets=len(setup.training_data.corpus.validation),
            vocab_size=len(setup.training_data.vocab),
            num_parameters=state.trainer.model.num_parameters,
            device=str(state.runtime.device),
            precision=state.runtime.precision,
            num_threads=state.runtime.num_threads,
            tuning=state.runtime.tuning,
            model=state.model_config,
            training=state.training,
            sampling=state.sampling,
            resumed_from=setup.resumed_from,
            is_warm_start=setup.is_warm_start,
            epochs=state.batches.epochs,
            world_size=setup.training_data.part.world_size,
            backend="" if setup.ranks is None else setup.ranks.backend,
            started_at=time.time(),
            num_rows=setup.training_data.corpus.report.num_rows,
            dropped=tuple(setup.training_data.corpus.report.dropped.items()),
        )
        for message in setup.warnings:
            self.reporter.emit(events.Warned, message=message)
        if state.progress.finish is not None:
            self.reporter.emit(events.FinishPlanned, last_step=state.progress.finish.last_step)
        self.checkpoints.save("latest", waits=True)

    def take_steps(self) -> None:
        """Train on the next batch, or on those promised to other processes; the reporter emits the steps later."""
        with self._next_rates() as rates:
            for rate in rates:
                self._train_on(self._load_batch(), rate)

    def take_single_step(self) -> None:
        """Train on the next batch, and emit how the loss of that batch changed, unless the step was skipped."""
        with self._next_rates(is_single=True) as [rate]:
            loaded = self._load_batch()
            batch = self._whole_batch(loaded)
            loss_before = self._loss_of(batch)
            self._train_on(loaded, rate)
        report = self.reporter.emit_steps()
        if not math.isfinite(report.train_losses[-1]):
            return
        loss_after = self._loss_of(batch)
        if not math.isfinite(loss_before + loss_after):
            message = "The loss of the batch is not finite. Set a lower learning rate."
            self.reporter.emit(events.Warned, message=message, kind="not-finite")
            return
        self.reporter.emit(
            insight.StepTaken,
            loss_before=loss_before,
            loss_after=loss_after,
            grad_norm=report.grad_norms[-1],
            learning_rate=rate,
            num_tweets=len(batch.targets),
            num_targets=batch.num_targets,
        )

    @contextlib.contextmanager
    def _next_rates(self, *, is_single: bool = False) -> Iterator[Sequence[float]]:
        """Give the learning rates of the steps to take in the block, before their batches are loaded: of one.

        With other processes, of all steps that are promised to them, unless it `is_single`.
        """
        state = self.state
        if self.leader is None:
            used = budget_used(state.training, *state.elapsed)
            yield [learning_rate_at(state.training, state.step, used, state.progress.finish)]
            return
        is_alone = is_single or self.setup.training_data.config.overfit is not None  # which samples between steps
        with self.leader.promised(lambda count: upcoming_rates(state, 1 if is_alone else count)) as rates:
            yield rates

    def _whole_batch(self, loaded: Batch) -> Batch:
        """Return the batch that was loaded last, with the parts of other processes."""
        return loaded if self.leader is None else self.state.batches.whole_batch()

    def _load_batch(self) -> Batch:
        """Return the next batch; until it is trained on, a resume repeats it."""
        state = self.state
        state.in_flight = state.batches.position
        with state.timer.during("data"):
            return self.oom.next_batch()

    def _loss_of(self, batch: Batch) -> float:
        """Return the loss of a batch without dropout, nats per character, in no training time."""
        stopwatch = self.state.stopwatch
        stopwatch.pause()
        loss = self.oom.batch_loss(batch)
        stopwatch.resume()
        return loss

    def _train_on(self, batch: Batch, learning_rate: float) -> None:
        """Train on a loaded batch."""
        state = self.state
        began = self._clock()
        state.timer.switch_to("forward")
        self.oom.take_step(batch, learning_rate)
        state.in_flight = None
        state.last_batch = self._whole_batch(batch)
        state.timer.switch_to("other")
        state.timer.num_steps += 1
        state.progress.total_chars += batch.total_targets
        if state.thread_tuner is not None:
            is_small = batch.num_tweets <= state.training.first_batch_size
            state.thread_tuner.record_step(self._clock() - began, batch.num_targets, is_small=is_small)

    def emit_step_times(self) -> None:
        """Emit where the time of the steps went, every `TIMES_SECONDS`."""
        if self.state.timer.seconds >= TIMES_SECONDS:
            times = self.state.timer.drain()
            self.reporter.emit(events.StepTimes, **times)
            if self.leader is not None:
                self.leader.report_times(times)

    def retune_threads(self, should_stop: Callable[[], bool]) -> None:
        """Measure which number of threads and, at first, which precision is fastest, if a measurement is due.

        Once `should_stop` returns true the measurement is abandoned, and due again soon.
        """
        state, tuner = self.state, self.state.thread_tuner
        if tuner is None or not tuner.should_measure:
            return
        before = state.runtime
        self.reporter.emit_steps()
        state.timer.stop()
        chosen, ratio = tuner.retune(state.trainer, before, should_stop)
        state.timer.resume()
        self.reporter.reset_throughput()
        state.runtime = chosen
        message = runtime_change(before, chosen, ratio)
        if message:
            fields = {"num_threads": chosen.num_threads, "precision": chosen.precision}
            self.reporter.emit(events.ThreadsChanged, **fields, message=message)

    def pause(self) -> None:
        """Pause training and its clocks."""
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
            self.settings.cancel_finish()
        budget = state.end_reason
        if budget is not None:
            raise RunFinishedError(finished_text(budget), f"Resume it with a larger {option_of(budget)}.")
        if state.is_paused:
            state.is_paused = False
            state.stopwatch.resume()
            state.timer.resume()
            self.reporter.emit(events.Resumed)

    def replace_trainer(self, trainer: Trainer, batches: BatchStream) -> None:
        """Continue with another trainer and other batches."""
        self.state.replace_trainer(trainer)
        self.insight_service.restart()
        self.reporter.reset_throughput()
        self.state.batches = batches
