"""Evaluates the model of a run when that is due, and saves a new best; `RateLimiter` limits its share of the time.

A GPU takes thousands of steps a second, but a tweet or an evaluation needs hundreds of operations in sequence on any
device: at intervals of steps they would take most of the time. So on a device they are due at the same steps as ever,
and are skipped at those that come too soon after the last one, if `TrainingConfig.pacing` is "seconds". On any machine,
if `sample_pacing` is "seconds", tweets are due as soon as the limiter allows one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from engine.protocol import events
from engine.session.state import Run
from engine.training.schedule import is_due, is_early_evaluation
from engine.training.trainer import AbandonedError

MAX_SHARE = 0.05
"""Largest share of the time that evaluations take."""


class RateLimiter:
    """When one kind of work may be done again. Not thread-safe."""

    def __init__(self, clock: Callable[[], float], min_seconds: float = 0.0, max_share: float = MAX_SHARE) -> None:
        """Allow the first work at once, then one every `min_seconds`, or less often if it takes long."""
        self._clock = clock
        self._min_seconds = min_seconds
        self._max_share = max_share
        self._next = self._least_next = clock()

    @property
    def allows_work(self) -> bool:
        """Whether enough time has passed since the last work."""
        return self.seconds_left <= 0

    @property
    def seconds_left(self) -> float:
        """Time until work is allowed; negative since then."""
        return self._next - self._clock()

    def forget_share(self) -> None:
        """Allow work after the least time: the next one may take another share of the time than the last."""
        self._next = min(self._next, self._least_next)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Time the work in the block, also if it fails."""
        began = self._clock()
        try:
            yield
        finally:
            self._least_next = began + self._min_seconds
            self._next = max(self._least_next, began + (self._clock() - began) / self._max_share)


class Evaluator:
    """Evaluates for one run. Used by the session's thread only."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._limiter = RateLimiter(lambda: run.state.stopwatch.seconds)

    def evaluate_if_due(self, answer_queries: Callable[[], bool]) -> bool:
        """Evaluate if that is due at this step and the limiter allows it; return false for one that was abandoned."""
        state = self._run.state
        is_early = is_early_evaluation(state.training, state.step) and state.step != state.progress.last_eval_step
        is_regular = is_due(state.step, state.training.eval_every, state.progress.last_eval_step)
        if not (is_early or is_regular) or (state.training.pacing == "seconds" and not self._limiter.allows_work):
            return True
        self._run.reporter.emit_steps()  # waits for the steps queued on a GPU, which are not part of the evaluation
        with self._limiter.working():
            self.evaluate(answer_queries, is_early=is_early)
        return state.progress.last_eval_step == state.step

    def evaluate(self, answer_queries: Callable[[], bool], *, is_early: bool = False) -> None:
        """Evaluate the model of this step, unless done already; a new best is saved.

        If it `is_early`, some of the tweets are enough, and its figure can't be the best: that of other tweets does not
        compare. Once `answer_queries` returns true the evaluation is abandoned, without a trace, and due again.
        """
        setup, state, reporter = self._run.setup, self._run.state, self._run.reporter
        progress = state.progress
        if progress.last_eval_step == state.step and (is_early or not progress.is_eval_early):
            return
        reporter.emit_steps()
        tweets = setup.early_val_tweets if is_early else setup.val_tweets
        try:
            with state.timer.during("evaluation"):
                evaluation = self._run.oom.evaluate(tweets, answer_queries)
        except AbandonedError:
            return
        is_best = progress.record_evaluation(state.step, evaluation, is_early=is_early)
        if progress.val_loss is None:
            reporter.emit(events.Warned, message="The validation loss is not finite.")
            return
        reporter.emit(
            events.EvalFinished,
            val_loss=evaluation.nats_per_char,
            bits_per_char=evaluation.bits_per_char,
            is_best=is_best,
            is_early=is_early,
        )
        if is_best:
            self._run.checkpoints.save("best")
