"""`LiveSettings`: the settings of a run that commands change while it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from engine.config.fields import with_settings
from engine.config.run import MIN_LEARNING_RATE, SamplePacing, Setting
from engine.config.sampling import SamplingConfig
from engine.errors import ConfigError, RunFinishedError
from engine.protocol import events, insight
from engine.sampling.filter import require_samplable
from engine.session.state import Run, finished_text, require_unspent_budget
from engine.training.schedule import finish_after


class LiveSettings:
    """Changes the settings of one run and emits the changes. Used by the session's thread only."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._training_data = run.setup.training_data
        self._state = run.state
        self._reporter = run.reporter

    def _emit_change(self, event_type: Callable[..., events.Event], **fields: Any) -> None:  # noqa: ANN401 - as in `Reporter.emit`
        self._run.checkpoints.record_change()
        self._reporter.emit(event_type, **fields)

    def set_sampling(self, sampling: SamplingConfig) -> None:
        """Sample with these settings from the next character on.

        Raises `ConfigError` on those that no run can use, `VocabError` on unknown characters, as `require_samplable`.
        """
        sampling.require_for_run()
        require_samplable(sampling, self._training_data.vocab)
        self._state.sampling = sampling
        self._emit_change(events.SamplingChanged, sampling=sampling)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Set the peak learning rate. Raises `ConfigError`."""
        self._state.training = with_settings(self._state.training, {"learning_rate": learning_rate})
        self._emit_change(events.LearningRateChanged, learning_rate=learning_rate)

    def halve_learning_rate(self, rate: float) -> None:
        """Set the peak to half of `rate`, a checkpoint's, or of the run's own where that is lower."""
        before = self._state.training.learning_rate
        after = max(min(before, rate) / 2, MIN_LEARNING_RATE)
        if after != before:
            self.set_learning_rate(after)

    def set_intervals(self, eval_every: int, sample_every: int, sample_pacing: SamplePacing) -> None:
        """Evaluate and sample at these intervals, in steps. Raises `ConfigError`."""
        intervals: dict[str, Setting] = {
            "eval_every": eval_every,
            "sample_every": sample_every,
            "sample_pacing": sample_pacing,
        }
        training = self._state.training
        early_tweets = training.early_eval_tweets if eval_every == training.eval_every else 0
        paced: dict[str, Setting] = {"pacing": "steps", "early_eval_tweets": early_tweets}
        self._state.training = with_settings(training, {**intervals, **paced})
        self._emit_change(events.IntervalsChanged, **intervals)

    def set_speed_limit(self, steps_per_second: float) -> None:
        """Take at most that many steps per second; 0 lifts the limit. Raises `ConfigError`."""
        self._state.training = with_settings(self._state.training, {"steps_per_second": steps_per_second})
        self._emit_change(insight.SpeedLimitChanged, steps_per_second=steps_per_second)

    def set_batch_size(self, batch_size: int) -> None:
        """Train with batches of that many tweets, from the same share of the epoch on. Raises `ConfigError`."""
        state = self._state
        training = with_settings(state.training, {"batch_size": batch_size, "first_batch_size": 0})
        self._reporter.emit_steps()
        batches = self._training_data.batches(training, state.batches.position, state.training)
        state.training = training
        state.trainer.set_batch_size(batch_size)
        state.batches = batches
        if state.thread_tuner is not None:
            state.thread_tuner.use_batches(partial(self._training_data.some_batches, batch_size))
        self._reporter.reset_throughput()
        self._emit_change(events.BatchSizeChanged, batch_size=batch_size, epochs=state.batches.epochs)

    def set_budget(self, max_steps: int | None, max_seconds: float | None, epochs: float | None) -> None:
        """Let the run end at these limits, None being no limit, and at no planned finish.

        Raises `ConfigError` where the run would end at once.
        """
        state = self._state
        training = replace(state.training, max_steps=max_steps, max_seconds=max_seconds, epochs=epochs)
        require_unspent_budget(training, *state.elapsed)
        state.training = training
        state.progress.finish = None
        self._emit_change(events.BudgetChanged, max_steps=max_steps, max_seconds=max_seconds, epochs=epochs)

    def finish(self) -> None:
        """Anneal the learning rate to zero, then end. Raises `ConfigError` where the run is finishing or finished."""
        state = self._state
        if state.end_reason is not None:
            raise RunFinishedError(finished_text(state.end_reason))
        if state.progress.finish is not None:
            raise ConfigError(f"The run is finishing already: it ends at step {state.progress.finish.last_step:,}.")
        state.progress.finish = finish = finish_after(state.step)
        self._reporter.emit(events.FinishPlanned, last_step=finish.last_step)

    def cancel_finish(self) -> None:
        """Cancel the planned finish, if any; emit `FinishCancelled` in either case."""
        self._state.progress.finish = None
        self._reporter.emit(events.FinishCancelled)
