"""`EvaluationService`: evaluates the model of a run when that is due, and saves a new best."""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.protocol import events
from engine.session.checkpointing import RunCheckpoints
from engine.session.pace import Pace
from engine.session.reporter import Reporter
from engine.session.startup.setup import RunSetup
from engine.session.state import RunState
from engine.training.out_of_memory import OutOfMemoryRetry
from engine.training.schedule import is_due, is_early_evaluation


class EvaluationService:
    """Evaluates for one run. Used by the session's thread only."""

    def __init__(
        self,
        setup: RunSetup,
        state: RunState,
        reporter: Reporter,
        oom: OutOfMemoryRetry,
        checkpoints: RunCheckpoints,
    ) -> None:
        self._setup = setup
        self._state = state
        self._reporter = reporter
        self._oom = oom
        self._checkpoints = checkpoints
        self._pace = Pace(lambda: state.stopwatch.seconds)

    def evaluate_if_due(self, should_stop: Callable[[], bool]) -> bool:
        """Evaluate if that is due at this step and the pace allows it; return false for one that was abandoned."""
        state = self._state
        if not self._is_due:
            return True
        self._reporter.emit_steps()  # waits for the steps queued on a GPU, which are not part of the evaluation
        with self._pace.working():
            self.evaluate(should_stop, is_early=is_early_evaluation(state.training, state.step))
        return state.progress.last_eval_step == state.step

    @property
    def _is_due(self) -> bool:
        state, last_step = self._state, self._state.progress.last_eval_step
        is_early = is_early_evaluation(state.training, state.step) and state.step != last_step
        is_regular = is_due(state.step, state.training.eval_every, last_step)
        return (is_early or is_regular) and (state.training.pacing == "steps" or self._pace.allows_work)

    def evaluate(self, should_stop: Callable[[], bool], *, is_early: bool = False) -> None:
        """Evaluate the model of this step, unless done already; a new best is saved.

        If it `is_early`, some of the tweets are enough, and its figure can't be the best: that of other tweets does not
        compare. Once `should_stop` returns true the evaluation is abandoned, and due again.
        """
        state = self._state
        if state.progress.last_eval_step == state.step and (is_early or not state.progress.is_eval_early):
            return
        self._reporter.emit_steps()
        with state.timer.during("evaluation"):
            tweets = self._setup.early_val_tweets if is_early else self._setup.val_tweets
            evaluation = self._oom.evaluate(tweets, should_stop)
        if evaluation is None:
            return
        if not math.isfinite(evaluation.total_nats):
            state.progress.record_non_finite(state.step, is_early=is_early)
            self._reporter.emit(events.Warned, message="The validation loss is not finite.")
            return
        is_best = state.progress.record_evaluation(state.step, evaluation, is_early=is_early)
        self._reporter.emit(
            events.EvalFinished,
            val_loss=evaluation.nats_per_char,
            bits_per_char=evaluation.bits_per_char,
            is_best=is_best,
            is_early=is_early,
        )
        if is_best:
            self._checkpoints.save("best")
