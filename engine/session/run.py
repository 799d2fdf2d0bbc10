"""`Run`: a run as it is at this moment, and each thing that can be done with it between two steps, as one method.

It knows neither when to do them (`engine.session.loop`) nor who asked. What it does, it tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from engine.compute.calibration import threads_label
from engine.compute.gpu.buckets import DeviceBatch
from engine.compute.step_timer import PhaseTimer
from engine.config.run import MIN_LEARNING_RATE, SamplingConfig, with_settings
from engine.corpus.batches import BatchStream
from engine.corpus.encoded_tweets import Batch
from engine.corpus.position import Position
from engine.errors import ConfigError, DivergedError, StorageError, TweetgenError
from engine.protocol import events
from engine.session.checkpointing import CheckpointSaver
from engine.session.memory_fallback import MemoryFallback
from engine.session.progress import Progress, budget_used, is_due
from engine.session.reporter import Reporter
from engine.session.sampling_service import SamplingService
from engine.session.setup import Preparation
from engine.training.prefetch import BatchSource, PrefetchedBatches
from engine.training.schedule import finish_after, learning_rate_at
from engine.training.trainer import Trainer

CHANGE_SECONDS = 2.0
"""How long after a change of the settings they are saved; further changes wait for the first one's saving."""
TIMES_SECONDS = 2.0
"""Training time between two `StepTimes`."""


class Run:
    """One run. Used by the session's thread only."""

    def __init__(self, preparation: Preparation, reporter: Reporter) -> None:
        """Take everything over; nothing is done yet."""
        self.trainer = preparation.trainer
        self.batches: BatchSource = self._supplied(preparation.batches)
        self.training = preparation.training
        self.sampling = preparation.sampling
        self.progress = Progress.from_start(preparation.start)
        self.is_paused = False
        self._prepared = preparation
        self._reporter = reporter
        self._clock = reporter.stopwatch.clock
        self._thread_tuner = preparation.thread_tuner
        self.memory_fallback = MemoryFallback(reporter)
        self._checkpoint_saver = CheckpointSaver(preparation, reporter, self.progress, self.memory_fallback)
        self._changed_at: float | None = None
        self._in_flight: Position | None = None
        """The place of the batch that a step is being taken with."""
        self.sampling_service = SamplingService(preparation, reporter)
        self.timer = PhaseTimer(self._clock)
        """On "other" between two steps."""
        self.trainer.use_timer(self.timer)

    def _supplied(self, batches: BatchStream) -> BatchSource:
        """Return the batches, made ready ahead where the trainer's device is worth a thread."""
        prepare = self.trainer.prepare
        return batches if prepare is None else PrefetchedBatches(batches, prepare)

    def close(self) -> None:
        """End the thread that makes batches ready, if there is one."""
        if isinstance(self.batches, PrefetchedBatches):
            self.batches.close()

    @property
    def position(self) -> tuple[int, float, float]:
        """Where the run stands in each kind of budget: steps, epochs, seconds."""
        return self.trainer.step_count, self.batches.epochs, self._reporter.stopwatch.seconds

    @property
    def _place(self) -> Position:
        """The place in the data that a checkpoint is to go on from."""
        return self.batches.position if self._in_flight is None else self._in_flight

    def save_if_due(self) -> None:
        """Save `latest` where the clock says so, and soon after a change of the settings."""
        if self.trainer.refused_in_a_row:
            return  # whether anything finite comes of these weights is not known
        self.save_step_if_due()
        if self._checkpoint_saver.is_latest_due(self.training.autosave_seconds):
            self.save("latest")
        else:
            self.save_if_changed()

    def save_step_if_due(self) -> None:
        """Save `step-N` where the step says so."""
        step = self.trainer.step_count
        if is_due(step, self.training.save_every, self.progress.last_save_step):
            self.progress.last_save_step = step
            self.save(f"step-{step}")

    def save_if_changed(self) -> None:
        """Save `latest` soon after a change of the settings: a kill must not undo what the user has seen happen.

        Also where it is time for another try after a failure.
        """
        if self._checkpoint_saver.is_failing and self._checkpoint_saver.is_latest_due(self.training.autosave_seconds):
            self.save("latest")
        if self._changed_at is not None and self._clock() - self._changed_at >= CHANGE_SECONDS:
            self.save("latest")

    def _emit_change(self, event_type: Callable[..., events.Event], **fields: Any) -> None:  # noqa: ANN401 - as in `Reporter.emit`
        """Tell that a setting is another one now."""
        if self._changed_at is None:
            self._changed_at = self._clock()
        self._reporter.emit(event_type, **fields)

    def begin(self) -> None:
        """Tell the facts of the run, and make sure that it could be resumed from here."""
        prepared = self._prepared
        self._checkpoint_saver.begin()  # first: a client that sees the run announced finds it in the list of runs
        self._reporter.emit(
            events.RunStarted,
            run=prepared.folder.name,
            corpus=prepared.training_data.corpus.name,
            num_train_tweets=self.batches.tweets_per_epoch,
            num_val_tweets=len(prepared.training_data.corpus.validation),
            vocab_size=len(prepared.training_data.vocab),
            num_parameters=self.trainer.model.num_parameters,
            device=str(prepared.runtime.device),
            precision=prepared.runtime.precision,
            num_threads=prepared.runtime.num_threads,
            step_path=self.trainer.path,
            tuning=prepared.runtime.tuning,
            model=prepared.model_config,
            training=self.training,
            sampling=self.sampling,
            resumed_from=prepared.resumed_from,
            epochs=self.batches.epochs,
        )
        for message in prepared.warnings:
            self._reporter.emit(events.Warned, message=message)
        if self.progress.finish is not None:
            self._reporter.emit(events.FinishPlanned, last_step=self.progress.finish.last_step)
        self.save("latest")

    def take_step(self) -> None:
        """Learn from the next batch; told together with other steps, by the reporter."""
        began = self._clock()
        used = budget_used(self.training, self.position)
        self._in_flight = self.batches.position
        self.timer.switch_to("data")
        batch = self._next_batch()
        self.timer.switch_to("forward")
        rate = learning_rate_at(self.training, self.trainer.step_count, used, self.progress.finish)
        self.memory_fallback.take_step(batch, rate)
        self._in_flight = None
        self.timer.switch_to("other")
        self.timer.num_steps += 1
        self._reporter.total_chars += batch.num_targets
        if self._thread_tuner is not None:
            self._thread_tuner.record_step(self._clock() - began, batch.num_targets)

    def _next_batch(self) -> Batch | DeviceBatch:
        """Return the next batch; where there is no memory for it, what was made ready ahead of it is given back."""
        batch = self.memory_fallback.next_batch(self.batches)
        if batch is not None:
            return batch
        place = self.batches.position
        self.close()
        self.batches = self._supplied(self._prepared.training_data.batches(self.training, place))
        return next(self.batches)

    def emit_step_times(self) -> None:
        """Tell what the time went into, every `TIMES_SECONDS` of it."""
        if self.timer.seconds >= TIMES_SECONDS:
            self._reporter.emit(events.StepTimes, **self.timer.drain())

    def retune_threads(self, should_stop: Callable[[], bool]) -> None:
        """Where the steps have become slow, or were not measured for long, measure which number of threads is fastest.

        Where `should_stop` says so, it is still to be done afterwards.
        """
        if self._thread_tuner is None or not self._thread_tuner.should_measure:
            return
        before = self._prepared.runtime
        self._reporter.emit_steps()
        self.timer.stop()
        chosen, ratio = self._thread_tuner.retune(self.trainer, before, should_stop)
        self.timer.resume()
        self._reporter.reset_throughput()
        if chosen == before:
            return
        self._prepared.runtime = chosen
        message = (
            f"{threads_label(chosen.num_threads)} in place of {before.num_threads}, {ratio:.1f} times as fast now; "
            "a run can be repeated to the bit only with --seed or a fixed number, --threads."
        )
        self._reporter.emit(events.ThreadsChanged, num_threads=chosen.num_threads, message=message)

    def evaluate(self, should_stop: Callable[[], bool]) -> None:
        """Read the validation tweets, once a step; where `should_stop` says so, it is still to be done afterwards."""
        if self.progress.last_eval_step == self.trainer.step_count:
            return
        self._reporter.emit_steps()
        prepared, model = self._prepared, self.trainer.eval_model
        with self.timer.during("evaluation"):
            evaluation = self.memory_fallback.evaluate(model, prepared.val_tweets, prepared.runtime, should_stop)
        if evaluation is None:
            return
        if not math.isfinite(evaluation.total_nats):
            self.progress.record_non_finite(self.trainer.step_count)
            self._reporter.emit(events.Warned, message="The validation loss is not finite.")
            return
        is_best = self.progress.record_evaluation(self.trainer.step_count, evaluation)
        self._reporter.emit(
            events.EvalFinished,
            val_loss=evaluation.nats_per_char,
            bits_per_char=evaluation.bits_per_char,
            is_best=is_best,
        )
        if is_best:
            self.save("best")

    def save(self, name: str, *, is_asked: bool = False, is_last: bool = False) -> TweetgenError | None:
        """Save the run's own `latest`, `best` or `step-N`; where that fails, training goes on and the user is told.

        What is asked for is tried and told at once, else it waits for its turn where the disk took nothing just now.
        Returns what kept it from being saved; None where it is, and where the weights are not finite. `is_last`: the
        run ends with it.
        """
        if name == "latest":
            self._changed_at = None
        if not self.trainer.is_finite:
            message = f"The weights are not finite any more; {name} was not saved, and what was saved before is kept."
            self._reporter.emit(events.Warned, message=message, kind="not-finite")
            return None
        with self.timer.during("saving"):
            return self._checkpoint_saver.save_own(
                name, self.training, self.sampling, self._place, is_asked=is_asked, is_last=is_last
            )

    def save_before_load(self, path: Path) -> None:
        """Save the current weights as `step-N` before those of `path` replace them, and exempt `path` from retention.

        Raises `ConfigError` and `StorageError` where that can't be done; then nothing has changed.
        """
        name = self._checkpoint_saver.name_before_load(self.trainer.step_count, path)
        if name is None:
            return
        loaded_before, self._checkpoint_saver.loaded_path = self._checkpoint_saver.loaded_path, path
        problem = self.save(name, is_asked=True)
        if problem is not None:
            self._checkpoint_saver.loaded_path = loaded_before
            raise StorageError(f"The current weights can't be saved, so nothing was loaded. {problem}", problem.hint)

    def record_load(self, path: Path) -> None:
        """Take note that the run goes on from the checkpoint at `path`, which the trainer holds by now."""
        self._checkpoint_saver.record_load(path, self.trainer.step_count)

    def require_saved(self) -> None:
        """Save `latest`. Raises a `TweetgenError` where that can't be, with what is lost if the run ends now."""
        if not self.trainer.is_finite:
            raise DivergedError(
                "The weights are not finite any more, so they can't be saved; what was saved before is kept.",
                "Load a checkpoint, or leave all the same.",
            )
        problem = self.save("latest", is_asked=True)
        saved, loaded, step = (
            self._checkpoint_saver.latest_step,
            self._checkpoint_saver.loaded_step,
            self.trainer.step_count,
        )
        if saved == step:
            return
        if saved is not None:
            so_far = f"Only what was learned up to step {saved:,} is saved"
        elif loaded is not None:
            so_far = f"Nothing is saved since the checkpoint of step {loaded:,} was loaded"
        else:
            so_far = "Nothing is saved"
        lost = step - (saved or loaded or 0)
        raise StorageError(
            f"{so_far}: to leave now loses {lost:,} {'step' if lost == 1 else 'steps'}.",
            problem.hint if problem is not None else "Leave all the same, or try again.",
        )

    def save_named(self, name: str, *, replace: bool) -> None:
        """Save under the user's name. Raises `ConfigError`, `StorageError`, and `DivergedError` on a broken model."""
        if not self.trainer.is_finite:
            raise DivergedError(
                "The weights are not finite any more, so there is nothing to save.", "Load a checkpoint."
            )
        with self.timer.during("saving"):
            self._checkpoint_saver.save_named(name, self.training, self.sampling, self._place, replace=replace)

    def save_after_failure(self) -> None:
        """Save `latest` once something was raised, so that a resumed run takes up the batch that a step failed with.

        Where an update broke off the weights may be new in part, and `latest` stays what it is.
        """
        if self.trainer.is_consistent:
            self.save("latest", is_asked=True, is_last=True)
            return
        message = (
            f"The update of step {self.trainer.step_count + 1:,} broke off, so its weights were not saved; latest is "
            "what it was."
        )
        self._reporter.emit(events.Warned, message=message)

    def pause(self) -> None:
        """Let the time stand still."""
        if not self.is_paused:
            self.is_paused = True
            self._reporter.emit_steps()
            self._reporter.stopwatch.pause()
            self.timer.stop()
            self._reporter.emit(events.Paused)

    def resume(self) -> None:
        """Let the time go on."""
        if self.is_paused:
            self.is_paused = False
            self._reporter.stopwatch.resume()
            self.timer.resume()
            self._reporter.emit(events.Resumed)

    def set_sampling(self, sampling: SamplingConfig) -> None:
        """Draw the next character this way. Raises `VocabError` where the prime holds an unknown character."""
        self._prepared.training_data.vocab.encode_strict(sampling.prime)
        self.sampling = sampling
        self._emit_change(events.SamplingChanged, sampling=sampling)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Make this the highest learning rate. Raises `ConfigError`."""
        self.training = with_settings(self.training, {"learning_rate": learning_rate})
        self._emit_change(events.LearningRateChanged, learning_rate=learning_rate)

    def halve_learning_rate(self, rate: float) -> None:
        """Go on at half of `rate`, a checkpoint's, or of the run's own where that is lower; not below the lowest."""
        before = self.training.learning_rate
        after = max(min(before, rate) / 2, MIN_LEARNING_RATE)
        if after != before:
            self.set_learning_rate(after)

    def set_intervals(self, eval_every: int, sample_every: int) -> None:
        """Evaluate and write at these intervals, in steps. Raises `ConfigError`."""
        self.training = with_settings(self.training, {"eval_every": eval_every, "sample_every": sample_every})
        self._emit_change(events.IntervalsChanged, eval_every=eval_every, sample_every=sample_every)

    def set_batch_size(self, batch_size: int) -> None:
        """Read that many tweets in a step, and go on at the same share of the epoch. Raises `ConfigError`."""
        training = with_settings(self.training, {"batch_size": batch_size})
        training_data, size_before = self._prepared.training_data, self.training.batch_size
        self._reporter.emit_steps()
        batches = training_data.batches(training, self.batches.position, size_before)
        self.close()
        self.training = training
        self.trainer.set_batch_size(batch_size)
        self.batches = self._supplied(batches)
        if self._thread_tuner is not None:
            self._thread_tuner.use_batches(partial(training_data.some_batches, batch_size))
        self._reporter.reset_throughput()
        self._emit_change(events.BatchSizeChanged, batch_size=batch_size, epochs=self.batches.epochs)

    @property
    def is_finished(self) -> bool:
        """Whether the last stretch, which was asked for, is over."""
        finish = self.progress.finish
        return finish is not None and self.trainer.step_count >= finish.last_step

    def finish(self) -> None:
        """Begin the last stretch. Raises `ConfigError` where it has begun."""
        if self.progress.finish is not None:
            raise ConfigError(f"The run is finishing already: it ends at step {self.progress.finish.last_step:,}.")
        self.progress.finish = finish = finish_after(self.trainer.step_count)
        self._reporter.emit(events.FinishPlanned, last_step=finish.last_step)

    def cancel_finish(self) -> None:
        """Go on as if it had not been asked for; told also where it was not."""
        self.progress.finish = None
        self._reporter.emit(events.FinishCancelled)

    def replace_trainer(self, trainer: Trainer, batches: BatchStream) -> None:
        """Take the next steps with another trainer, and with these batches."""
        trainer.use_timer(self.timer)
        self.trainer.close()
        self.trainer = self._reporter.trainer = self._prepared.trainer = trainer
        self._reporter.reset_throughput()
        self.close()
        self.batches = self._supplied(batches)
