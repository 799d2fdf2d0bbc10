"""Changes of a run's settings while it trains. Used by the session's thread only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from engine.config.fields import with_settings
from engine.config.run import BUDGETS, MIN_LEARNING_RATE, Setting, TrainingConfig, implied_settings, require_live
from engine.errors import ConfigError, RunFinishedError
from engine.protocol.events import FinishPlanned, SettingsChanged
from engine.sampling.filter import require_samplable
from engine.session.state import Run, finished_text, require_unspent_budget
from engine.training.schedule import finish_after


def change_settings(run: Run, wanted: Mapping[str, Setting]) -> None:
    """Change these settings and those that they imply, all of them or, raising a `TweetgenError`, none.

    The inverse of a change is one to the values before.
    """
    state, data = run.state, run.setup.training_data
    if not wanted:
        raise ConfigError("The command names no setting to change.")
    require_live(wanted)
    wanted = {**wanted, **implied_settings(wanted, state.training)}
    training, sampling = with_settings(state.training, wanted), with_settings(state.sampling, wanted)
    if sampling != state.sampling:
        sampling.require_for_run()
        require_samplable(sampling, data.vocab)
    batches = state.batches
    if _sizes(training) != _sizes(state.training):  # the next batch then begins at a multiple of the new size
        run.reporter.emit_steps()
        batches = data.batches(training, batches.position, state.training)
    has_budget = any(name in wanted for name in BUDGETS)
    if has_budget:
        require_unspent_budget(training, state.step, batches.epochs, state.stopwatch.seconds)
    # nothing has failed
    if batches is not state.batches:
        state.trainer.set_batch_size(training.batch_size)
        state.batches = batches
        if state.thread_tuner is not None:
            state.thread_tuner.use_batches(partial(data.some_batches, training.batch_size))
        run.reporter.reset_throughput()
    state.training, state.sampling = training, sampling
    if has_budget:
        state.progress.finish = None
    run.checkpoints.record_change()
    configs = vars(training) | vars(sampling)
    changed = {name: configs[name] for name in wanted}
    run.reporter.emit(SettingsChanged, settings=changed, epochs=state.batches.epochs)


def _sizes(training: TrainingConfig) -> tuple[int, int]:
    return training.batch_size, training.first_batch_size


def halve_learning_rate(run: Run, rate: float) -> None:
    """Set the peak to half of `rate`, a checkpoint's, or of the run's own where that is lower."""
    before = run.state.training.learning_rate
    after = max(min(before, rate) / 2, MIN_LEARNING_RATE)
    if after != before:
        change_settings(run, {"learning_rate": after})


def plan_finish(run: Run, *, on: bool) -> None:
    """Anneal the learning rate to zero, then end; or cancel that, if it is planned.

    Raises `ConfigError` where a run that is to finish is finishing or finished.
    """
    state = run.state
    if on and state.end_reason is not None:
        raise RunFinishedError(finished_text(state.end_reason))
    if on and state.progress.finish is not None:
        raise ConfigError(f"The run is finishing already: it ends at step {state.progress.finish.last_step:,}.")
    state.progress.finish = finish = finish_after(state.step) if on else None
    run.checkpoints.record_change()
    run.reporter.emit(FinishPlanned, last_step=finish and finish.last_step)
