"""`DivergenceRecovery`: rolls a run back when its steps are skipped in a row, because loss or gradient are not finite.

A single skipped step does no harm. After `SKIPPED_IN_A_ROW` of them the weights have diverged: later steps are
non-finite too. So the run returns to its own `latest`, halves the learning rate, and continues; if not one step from
there is finite, it returns to `best` the next time, if there is one.

It gives up after `MAX_RELOADS` times at one place. **One place** is everything less than `CLEAR_STEPS` behind the
farthest step of a rollback: the count starts again only beyond that. So the run either progresses, or ends.

On a CPU a skipped step is known after each step, and nothing here depends on a clock. On a GPU it is known at the next
report.
"""

from __future__ import annotations

from engine.errors import DivergedError, TweetgenError
from engine.protocol.events import Warned
from engine.session.checkpoints.loader import CheckpointLoader
from engine.session.live_settings import LiveSettings
from engine.session.state import Run

MAX_RELOADS = 10
CLEAR_STEPS = 100
_HINT = "Resume from a checkpoint with a lower --learning-rate, or remove unusual tweets from the data."


class DivergenceRecovery:
    """Rolls one run back. Used by the session's thread only."""

    def __init__(self, run: Run, settings: LiveSettings, loader: CheckpointLoader) -> None:
        self._run = run
        self._settings = settings
        self._loader = loader
        self._num_reloads = 0
        self._farthest_step = 0
        self._reloaded_step: int | None = None

    def reset(self) -> None:
        """Forget earlier rollbacks: the user has loaded another checkpoint."""
        self._num_reloads, self._farthest_step, self._reloaded_step = 0, 0, None

    def roll_back(self) -> None:
        """Continue from the last good checkpoint at half the rate, and warn. Raises `DivergedError` on giving up."""
        trainer = self._run.state.trainer
        self._run.reporter.emit_steps()
        num_skipped = trainer.skipped_in_a_row
        last_finite = trainer.step_count - num_skipped
        if last_finite >= self._farthest_step + CLEAR_STEPS:
            self._num_reloads = 0
        problem = f"The loss or its gradient was not finite for {num_skipped} steps in a row."
        if self._num_reloads == MAX_RELOADS:
            outcome = f"The run went back {MAX_RELOADS} times, each time at a lower learning rate, without success."
            raise DivergedError(f"{problem} {outcome}", _HINT)
        self._farthest_step = max(self._farthest_step, trainer.step_count)
        self._num_reloads += 1
        names = ("best", "latest") if last_finite == self._reloaded_step else ("latest", "best")
        outcome = self._reload_first_of(names)
        self._reloaded_step = self._run.state.step
        self._run.reporter.emit(
            Warned,
            message=f"{problem} {outcome} at half the learning rate ({self._num_reloads} of {MAX_RELOADS} times).",
            kind="not-finite",
        )

    def _reload_first_of(self, names: tuple[str, ...]) -> str:
        """Load the first readable one of the run's own checkpoints, at half the rate; return the outcome in words."""
        run = self._run
        problem = ""
        for name in names:
            try:
                rate = self._loader.go_back_to(name)
            except TweetgenError as error:
                problem = problem or error.message
            else:
                self._settings.halve_learning_rate(rate)
                return f"The run went back to {name}, of step {run.state.step:,}, and continues"
        run.state.trainer.skipped_in_a_row = 0
        self._settings.halve_learning_rate(run.state.training.learning_rate)
        return (
            f"There is no checkpoint to go back to ({problem.removesuffix('.')}), so the run continues with its weights"
        )
